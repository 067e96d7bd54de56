"""Programs that run in an interpreter of their own, because they could end the process."""

import functools
import os
import subprocess
import sys
import textwrap


def run(program, *arguments):
    """Runs a program in a new interpreter. Returns its exit status and what it printed."""
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.strip(), ended.stderr.strip()


def assert_ends_well(program, *arguments, prints="well"):
    assert run(program, *arguments) == (0, prints, "")


def in_new_process(before=""):
    """Makes a decorator that runs a test in a new process, after the statements in `before`."""

    def decorator(test):
        @functools.wraps(test)
        def run():
            module = test.__module__
            program = f"{before}\nimport {module}\n{module}.{test.__name__}.__wrapped__()"
            command = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", program]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr

        return run

    return decorator
