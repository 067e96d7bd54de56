"""The background thread with the event loop on which loaders run `async def` batch functions."""

import asyncio
import threading

from .._fork import reset_after_fork
from .thread_pool import check_not_finalizing

__traceback_hide__ = True


class EventLoopThread:
    """An asyncio event loop in a daemon thread, which starts on first use."""

    def __init__(self):
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._lock = threading.Lock()
        self._loop = None

    def submit(self, caller, coroutine):
        """Runs a coroutine in a `CallerContext`. Returns a `concurrent.futures.Future`.

        Raises `RuntimeError` if the interpreter is shutting down or cannot start the thread.
        """
        try:
            check_not_finalizing()
            with self._lock:
                if self._loop is None:
                    self._loop = _start_loop()
        except BaseException:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(_run(caller, coroutine), self._loop)


def _start_loop():
    loop = asyncio.new_event_loop()
    try:
        threading.Thread(target=loop.run_forever, name="asynq event loop", daemon=True).start()
    except BaseException:
        loop.close()
        raise
    return loop


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
