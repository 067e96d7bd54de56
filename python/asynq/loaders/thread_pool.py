"""The worker threads on which loaders run blocking batch functions.

They are daemon threads, so that a function that never returns does not keep a program running.
"""

import queue
import sys
import threading
from concurrent.futures import Future

from .._fork import reset_after_fork
from .._validation import check_count

__traceback_hide__ = True

# Seconds after which an idle thread ends.
_IDLE_SECONDS = 10

_MAX_THREADS = 64


class ThreadPool:
    """A pool that starts a thread whenever no thread is idle, up to `max_threads`.

    When all threads are busy, functions wait for one, in the order in which they were submitted. A
    function that a thread of the pool submits then runs on that very thread instead: if it waited,
    all threads could wait for each other.
    """

    def __init__(self):
        self.max_threads = _MAX_THREADS
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._work = None
        self._threads = 0
        self._idle = 0
        self._waiting = 0  # Number of functions in the queue that have no thread yet.
        self._running = set()  # The ids of the threads that run a function of the pool.
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
            is_new = not is_idle and self._threads < self.max_threads
            is_nested = not (is_idle or is_new) and threading.get_ident() in self._running
            self._idle -= is_idle
            self._threads += is_new
            self._waiting += not (is_idle or is_new or is_nested)
        if is_nested:
            _run_into(future, function, args)
            return future
        if is_new:
            self._start()
        self._work.put((future, function, args))
        return future

    def _start(self):
        # Without the lock: a greenlet that starts a thread lets others run.
        try:
            threading.Thread(target=self._run, name="asynq worker", daemon=True).start()
        except BaseException:
            with self._lock:
                self._threads -= 1
            raise

    def _run(self):
        thread = threading.get_ident()
        while True:
            try:
                future, function, args = self._work.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        self._threads -= 1
                        return
                continue  # `submit` has reserved this thread.
            _run_into(future, self._marked, (thread, function, args))
            del future, function, args
            with self._lock:
                if self._waiting:
                    self._waiting -= 1
                else:
                    self._idle += 1

    def _marked(self, thread, function, args):
        # Not while the future is resolved: that may submit functions that nobody here waits for.
        self._running.add(thread)
        try:
            return function(*args)
        finally:
            self._running.discard(thread)


def set_max_threads(count):
    """Limits the threads on which all loaders together run blocking functions (at least 1).

    The default is 64. A function keeps its thread until it returns, even if its keys have timed
    out. A lower limit does not end busy threads. Raises `TypeError` if `count` is not an int, and
    `ValueError` if it is less than 1.
    """
    check_count("max_threads", count)
    thread_pool.max_threads = count


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
