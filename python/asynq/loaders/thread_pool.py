"""The worker threads on which loaders run blocking batch functions.

They are daemon threads, so that a function that never returns does not keep a program running.
"""

import _thread
import queue
import sys
import threading

from .._asynq import Jobs
from .._fork import reset_after_fork
from .._validation import check_count

__traceback_hide__ = True

# Seconds after which an idle thread ends.
_IDLE_SECONDS = 10

_MAX_THREADS = 64


class ThreadPool:
    """A pool that starts a thread whenever no thread is idle, up to `max_threads`.

    When all threads are busy, jobs wait for one, in the order in which they were submitted. A job
    that a function on a thread of the pool submits, and waits for, then runs on that very thread
    instead: if it waited, all threads could wait for each other. Other nested jobs, for which a
    function of a loader waits, run in place of a thread whose function waits for a load.
    """

    def __init__(self):
        self.max_threads = _MAX_THREADS
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._jobs = Jobs()
        self._running = set()  # The ids of the threads that run a function of the pool.

    def submit(self, job, is_nested=False, may_run_here=False):
        """Calls `job()` on a thread. It must not raise, and calls the function with `run`.

        `may_run_here` is true if this thread would wait for the job anyway.

        Raises `RuntimeError` if the interpreter is shutting down or cannot start a thread.
        """
        check_not_finalizing()
        can_run_here = may_run_here and threading.get_ident() in self._running
        if not self._jobs.add(job, is_nested, *self._starter(), can_run_here):
            job()

    def nest(self, job):
        """Makes a job nested, if it waits for a thread."""
        self._jobs.nest(job, *self._starter())

    def lend(self):
        """Notes that this thread waits for a load, if it runs a function of the pool."""
        if threading.get_ident() in self._running:
            self._jobs.lend(*self._starter())

    def take_back(self):
        """Notes that this thread has ended its wait, if it runs a function of the pool."""
        if threading.get_ident() in self._running:
            self._jobs.take_back()

    def _starter(self):
        # Not imported by name: gevent may replace it after this module was imported.
        start, jobs = _thread.start_new_thread, self._jobs
        return start, lambda: self._start(jobs), self.max_threads

    def run(self, function, *args):
        """Returns `function(*args)`, on a thread of the pool.

        What a job does besides does not count: it may submit jobs that nobody here waits for.
        """
        thread = threading.get_ident()
        is_nested = thread in self._running
        self._running.add(thread)
        try:
            return function(*args)
        finally:
            if not is_nested:
                self._running.discard(thread)

    def _start(self, jobs):
        # The thread of the pool is started by another one, because a signal handler that raises in
        # `Thread.start()`, in the main thread, would leave it half started.
        try:
            threading.Thread(
                target=self._work, args=(jobs,), name="asynq worker", daemon=True
            ).start()
        except RuntimeError:
            self._work(jobs)

    def _work(self, jobs):
        wake_ups = queue.SimpleQueue()
        while True:
            job = jobs.take(wake_ups, self.max_threads)
            if job is None:
                try:
                    wake_ups.get(timeout=_IDLE_SECONDS)
                except queue.Empty:
                    if jobs.leave(wake_ups):
                        return
            else:
                job()
                del job


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


thread_pool = ThreadPool()
