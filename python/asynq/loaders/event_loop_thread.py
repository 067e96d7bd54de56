"""The background thread with the event loop on which loaders run `async def` batch functions."""

import _thread
import asyncio
import threading
from concurrent.futures import CancelledError

from .._asynq import current_greenlet, is_blocked_event_loop
from .._fork import reset_after_fork
from .._scheduler_local import GreenletLocal
from .thread_pool import check_not_finalizing

__traceback_hide__ = True


class EventLoopThread:
    """An asyncio event loop in a daemon thread, which starts on first use.

    A function on the loop that makes a synchronous call blocks the loop. If that call needs an
    event loop, too, it gets the next one: each thread has a chain of them.
    """

    def __init__(self, depth=1):
        self._depth = depth
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._threads = {}
        self._loops = {}

    def submit(self, job):
        """Calls `job()` on the loop. It must not raise.

        Raises `RuntimeError` if the interpreter is shutting down or cannot start the thread.
        """
        check_not_finalizing()
        loop = self.event_loop()
        if not loop.is_running():
            # There may be several threads until then, of which one runs the loop. The thread of the
            # loop is started by another one: see `ThreadPool`.
            _thread.start_new_thread(self._start, (loop,))
        loop.call_soon_threadsafe(job)

    def next(self):
        """Returns the event loop thread for calls that block this one.

        Raises `RuntimeError` if too many of them block each other.
        """
        if self._depth == _MAX_DEPTH:
            raise RuntimeError(
                f"synchronous calls of async def loaders are nested {_MAX_DEPTH} levels deep, and"
                " each blocks an event loop: use 'await loader.asyncio(key)' in async def functions"
            )
        return self._threads.setdefault("next", EventLoopThread(self._depth + 1))

    def event_loop(self):
        """Returns the event loop, which may not run yet."""
        loop = self._loops.get("loop")
        if loop is None:
            new = asyncio.new_event_loop()
            loop = self._loops.setdefault("loop", new)  # Atomic.
            if loop is not new:
                new.close()
        return loop

    def _start(self, loop):
        try:
            threading.Thread(
                target=self._run, args=(loop,), name="asynq event loop", daemon=True
            ).start()
        except RuntimeError:
            self._run(loop)

    def _run(self, loop):
        if self._loops.setdefault("thread", _thread.get_ident()) != _thread.get_ident():
            return  # Another thread runs the loop.
        _running.get().thread = self
        if current_greenlet() is not None:
            _let_others_run(loop)
        loop.run_forever()


# Maximum number of event loops that block each other.
_MAX_DEPTH = 10


class _Running:
    """The `EventLoopThread` whose loop the current thread or greenlet runs."""

    thread = None


_running = GreenletLocal(_Running)


def event_loop_thread():
    """Returns the `EventLoopThread` for coroutines that the current thread asks for."""
    thread = _running.get().thread
    thread = first_event_loop_thread if thread is None else thread.next()
    while is_blocked_event_loop(thread.event_loop()):
        thread = thread.next()  # Perhaps this call is what the other one waits for.
    return thread


def _let_others_run(loop):
    """Makes a loop the running one only while it calls something.

    If gevent has replaced `threading.Thread`, the thread of the loop is a greenlet, and asyncio
    would find the loop running in all greenlets of the real thread.
    """
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return  # Not a loop of asyncio.
    select, outer = selector.select, None

    def select_outside(timeout=None):
        nonlocal outer
        asyncio._set_running_loop(outer)
        try:
            return select(timeout)
        finally:
            outer = asyncio._get_running_loop()
            asyncio._set_running_loop(loop)

    selector.select = select_outside


class CoroutineCall:
    """The call `call(coroutine)` on an `EventLoopThread`, for a flight.

    `coroutine` is what an `async def` function has returned, if it was called already.
    """

    def __init__(self, flight, caller, thread, call, coroutine=None):
        self._flight = flight
        self._caller = caller
        self._make_call = call
        self._coroutine = coroutine
        self._task = None
        self._thread = thread

    def begin(self):
        """Starts the call. It does so only once, even if this is called again."""
        try:
            self._thread.submit(self._start)
        except RuntimeError:
            self._close()
            raise

    def cancel(self):
        """Cancels the coroutine, if it has not ended."""
        if self._task is not None:
            self._thread.submit(self._task.cancel)

    def _start(self):
        if self._task is not None:
            return
        if self._flight.is_awaiting_answer:
            self._task = self._caller.start(self._call())
            self._task.add_done_callback(self._end)
        else:
            self._flight.release()
            self._close()

    def _close(self):
        if self._coroutine is not None:
            self._coroutine.close()

    async def _call(self):
        # Without raising, because asyncio stops the loop for a KeyboardInterrupt or SystemExit.
        try:
            return await self._make_call(self._coroutine), None
        except BaseException as error:
            return None, error

    def _end(self, task):
        value, error = (None, CancelledError()) if task.cancelled() else task.result()
        self._flight.release()
        if error is None:
            self._flight.set_answer(value)
        else:
            self._flight.set_error(error)


first_event_loop_thread = EventLoopThread()
