"""Programs that run in an interpreter of their own, because they could end the process."""

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
