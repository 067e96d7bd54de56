"""The worker threads on which loaders run blocking batch functions.

They are daemon threads, so that a function that never returns does not keep a program running.
"""

import queue
import sys
import threading
from concurrent.futures import Future

from .._fork import reset_after_fork

__traceback_hide__ = True

# Seconds after which an idle thread ends.
_IDLE_SECONDS = 10


class ThreadPool:
    """A pool that starts a thread whenever no thread is idle. It has no maximum size."""

    def __init__(self):
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._work = None
        self._idle = 0
        self._lock = threading.Lock()

    def submit(self, function, *args):
        """Calls `function(*args)` on a thread. Returns a `concurrent.futures.Future`.

        Raises `RuntimeError` if the interpreter is shutting down or cannot start a thread.
        """
        check_not_finalizing()
        future = Future()
        with self._lock:
            if self._work is None:
                # Not in `_reset`: gevent may replace the class after this module was imported.
                self._work = queue.SimpleQueue()
            is_idle = self._idle > 0
            self._idle -= is_idle
        if not is_idle:
            # Without the lock: a greenlet that starts a thread lets others run.
            threading.Thread(target=self._run, name="asynq worker", daemon=True).start()
        self._work.put((future, function, args))
        return future

    def _run(self):
        while True:
            try:
                future, function, args = self._work.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # `submit` has reserved this thread.
            _run_into(future, function, args)
            del future, function, args
            with self._lock:
                self._idle += 1


def check_not_finalizing():
    """Raises `RuntimeError` if the interpreter is shutting down."""
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is shutting down, and no other thread runs any more")


def _run_into(future, function, args):
    """Calls a function, and resolves `future` with its result or error."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = function(*args)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


thread_pool = ThreadPool()
