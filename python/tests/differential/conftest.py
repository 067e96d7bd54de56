"""The reference, asynq 1.6.0 from PyPI, in a virtual environment in `target/`."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REFERENCE = ["asynq==1.6.0", "qcore==1.11.1"]
#: The newest CPython that the reference has wheels for.
NEWEST = (3, 13)


def environment():
    """Returns the interpreter of the environment, which is created on first use."""
    abi = sysconfig.get_config_var("SOABI") or f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = HERE.parents[2] / "target" / "reference" / abi
    interpreter = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary", ":all:", *REFERENCE], check=True)
        done.write_text("\n".join(REFERENCE))
    return interpreter


class Reference:
    """A process that runs programs on the reference, one after the other."""

    def __init__(self, interpreter):
        self.process = subprocess.Popen(
            [interpreter, HERE / "interpreter.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, program):
        """Returns the result of `interpreter.run(program)` on the reference."""
        self.process.stdin.write(json.dumps(program) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="session")
def reference():
    if sys.version_info[:2] > NEWEST or sys.implementation.name != "cpython":
        pytest.skip("the reference has no wheel for this interpreter")
    process = Reference(environment())
    yield process
    process.close()
