"""State that each scheduler has for itself: that of a thread, or of a greenlet."""

import threading
import weakref

from ._asynq import current_greenlet


class SchedulerLocal:
    """Holds one object per scheduler, made by `new()` on first use.

    Not a `threading.local`: gevent makes it a local of each greenlet, but only if it has patched
    the module before, and SQLAlchemy does not patch it.
    """

    def __init__(self, new):
        self._new = new
        self._of_threads = threading.local()
        self._of_greenlets = weakref.WeakKeyDictionary()

    def get(self):
        """Returns the object of the current scheduler."""
        greenlet = current_greenlet()
        if greenlet is None:
            try:
                return self._of_threads.object
            except AttributeError:
                self._of_threads.object = self._new()
                return self._of_threads.object
        try:
            return self._of_greenlets[greenlet]
        except KeyError:
            return self._of_greenlets.setdefault(greenlet, self._new())
