"""Free-threaded interpreters: they enable the GIL for asynq."""

import os
import subprocess
import sys
import sysconfig

import pytest

pytestmark = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="an interpreter that always has a GIL"
)


def run(program, *options):
    """Runs a program with no setting of the GIL and of warnings but the options."""
    settings = {"PYTHON_GIL", "PYTHONWARNINGS", "PYTHONDEVMODE"}
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_import_of_asynq_enables_the_gil():
    program = "import sys, asynq; print(sys._is_gil_enabled())"
    assert run(program).stdout == "True\n"


def test_the_interpreter_warns_that_asynq_needs_the_gil():
    done = run("import asynq")
    assert "RuntimeWarning: The global interpreter lock (GIL) has been enabled" in done.stderr
    assert "asynq._asynq" in done.stderr


def test_asynq_cannot_be_imported_where_the_gil_is_switched_off():
    done = run("import asynq", "-X", "gil=0")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "ImportError: asynq needs the GIL, which PYTHON_GIL=0 or -X gil=0 switches off: without "
        "that setting, the interpreter enables the GIL when it imports asynq\n"
    )


def test_nothing_warns_where_the_gil_is_switched_on():
    done = run("import asynq", "-X", "gil=1")
    assert (done.returncode, done.stderr) == (0, "")
