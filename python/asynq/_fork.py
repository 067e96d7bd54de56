"""Reset of threads, permits and connections in forked processes.

A child process has only the thread that called `fork`, and shares the sockets of its parent. Each
object that owns threads, locks or connections must therefore be reset in the child.
"""

import os
import sys
import weakref

from ._asynq import fail_flights_after_fork

_registered = weakref.WeakSet()


def reset_after_fork(object):
    """Registers `object`: its method `_reset()` is called in each child that this process forks."""
    _registered.add(object)


def _reset_all():
    for object in list(_registered):
        try:
            object._reset()
        except Exception:
            # The others must be reset all the same.
            sys.excepthook(*sys.exc_info())
    fail_flights_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
