"""State that each scheduler has for itself: that of a thread, a greenlet or an event loop."""

import asyncio
import threading
import weakref

from ._asynq import current_greenlet


class GreenletLocal:
    """Holds one object per thread or greenlet, made by `new()` on first use.

    Not a `threading.local`: gevent makes it a local of each greenlet, but only if it has patched
    the module before, and SQLAlchemy does not patch it.
    """

    def __init__(self, new):
        self._new = new
        self._of_threads = threading.local()
        self._of_greenlets = weakref.WeakKeyDictionary()

    def get(self):
        """Returns the object of the current thread or greenlet."""
        greenlet = current_greenlet()
        if greenlet is None:
            try:
                return self._of_threads.object
            except AttributeError:
                self._of_threads.object = self._new()
                return self._of_threads.object
        return _get_or_make(self._of_greenlets, greenlet, self._new)


class LoopLocal:
    """Holds one object per event loop, made by `new()` on first use, as long as the loop lives."""

    def __init__(self, new):
        self._new = new
        self._others = weakref.WeakKeyDictionary()

    def of(self, loop):
        """Returns the object of an event loop."""
        # In an attribute, since the object may refer to the loop: an entry of a WeakKeyDictionary
        # would then keep the loop alive.
        try:
            objects = loop._asynq_objects
        except AttributeError:
            try:
                objects = loop._asynq_objects = weakref.WeakKeyDictionary()
            except AttributeError:
                return _get_or_make(self._others, loop, self._new)
        return _get_or_make(objects, self, self._new)


class SchedulerLocal:
    """Holds one object per scheduler, made by `new()` on first use."""

    def __init__(self, new):
        self._of_greenlets = GreenletLocal(new)
        self._of_loops = LoopLocal(new)

    def get(self):
        """Returns the object of the scheduler of the code that runs."""
        loop = asyncio._get_running_loop()
        if loop is None or current_greenlet() is not None:
            return self._of_greenlets.get()
        return self._of_loops.of(loop)


def _get_or_make(objects, key, new):
    found = objects.get(key)
    return objects.setdefault(key, new()) if found is None else found
