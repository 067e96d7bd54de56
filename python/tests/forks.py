"""Helpers for tests with forked processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
import warnings

import pytest

SECONDS = 30  # After which a child that waits in vain is ended.

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def fork():
    """Calls `os.fork()`, without the warning about threads that another test has left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def leave(succeeded):
    """Ends the child without the exit handlers of pytest and other packages."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if succeeded else 1)


def wait_for(child):
    """Waits for the end of a child, and asserts that it has succeeded."""
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child failed: see its output"


@contextlib.contextmanager
def child(check):
    """Runs `check()` in a forked process, while this process runs the block."""
    pid = fork()
    if pid == 0:
        signal.alarm(SECONDS)
        try:
            check()
        except BaseException:
            traceback.print_exc()
            leave(False)
        leave(True)
    try:
        yield
    finally:
        wait_for(pid)
