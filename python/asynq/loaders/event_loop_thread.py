"""The background thread with the event loop on which loaders run `async def` batch functions."""

import asyncio
import threading

from .._asynq import current_greenlet
from .._fork import reset_after_fork
from .thread_pool import check_not_finalizing

__traceback_hide__ = True


class EventLoopThread:
    """An asyncio event loop in a daemon thread, which starts on first use."""

    def __init__(self):
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._locks = {}
        self._loop = None

    def submit(self, caller, coroutine):
        """Runs a coroutine in a `CallerContext`. Returns a `concurrent.futures.Future`.

        Raises `RuntimeError` if the interpreter is shutting down or cannot start the thread.
        """
        try:
            check_not_finalizing()
            # Made on first use: a greenlet that starts a thread lets others run, and gevent may
            # replace the class of the lock after this module was imported. `setdefault` is atomic.
            with self._locks.setdefault("lock", threading.Lock()):
                if self._loop is None:
                    self._loop = _start_loop()
        except BaseException:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(_run(caller, coroutine), self._loop)


def _start_loop():
    loop = asyncio.new_event_loop()
    try:
        threading.Thread(
            target=_run_loop, args=(loop,), name="asynq event loop", daemon=True
        ).start()
    except BaseException:
        loop.close()
        raise
    return loop


def _run_loop(loop):
    if current_greenlet() is not None:
        _let_others_run(loop)
    loop.run_forever()


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


async def _run(caller, coroutine):
    return await caller.start(_catch_interrupts(coroutine))


class InterruptError(Exception):
    """Carries a `KeyboardInterrupt` or `SystemExit` out of the event loop.

    asyncio would stop the loop for the original `error`, and every other coroutine would hang.
    """

    def __init__(self, error):
        super().__init__(error)
        self.error = error


async def _catch_interrupts(coroutine):
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise InterruptError(error) from None


event_loop_thread = EventLoopThread()
