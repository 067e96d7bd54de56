"""What begins anew in a forked process, which has one thread, and the connections of its parent."""

import os
import weakref

_those = weakref.WeakSet()


def begin_anew_after_fork(object):
    """Has `object.begin_anew()` called in each child that this process forks, once it has begun."""
    _those.add(object)


def _in_child():
    for one in list(_those):
        one.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
