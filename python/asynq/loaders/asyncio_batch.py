"""Batches of loaders whose keys are asked for by coroutines of an asyncio event loop."""

import asyncio
import contextlib
import inspect
import weakref

from ..asynq_to_async import NoAsyncioMode
from ..decorators import is_async_fn
from . import limit
from .batch import LoaderBatch
from .caller_context import CallerContext
from .thread_pool import thread_pool

__traceback_hide__ = True


# Iterations without a new key after which a batch is sent, on loops that do not show if they are
# idle.
_QUIET_ITERATIONS = 10


class BatchesByLoop:
    """The unfinished batches of a loader, per event loop."""

    def __init__(self):
        self._batches = weakref.WeakKeyDictionary()

    def of_running_loop(self, new):
        """Returns the batches of the running loop, made by `new()` on first use."""
        loop = asyncio.get_running_loop()
        batches = self._batches.get(loop)
        if batches is None:
            batches = self._batches[loop] = new()
        return batches


class SendQueue:
    """The queue of open batches of an event loop, which sends them one after the other.

    It sends a batch only when nothing else can run on the loop. Coroutines that reach a loader
    after different numbers of steps then meet in one batch.
    """

    def __init__(self, loop):
        self._loop = weakref.ref(
            loop
        )  # Weak, because the loop is the key of this queue in `_queues`.
        self._open = []
        self._keys = 0

    @classmethod
    def of_running_loop(cls):
        """Returns the queue of the running loop."""
        loop = asyncio.get_running_loop()
        queue = _queues.get(loop)
        if queue is None:
            queue = _queues[loop] = cls(loop)
        return queue

    def add(self, batch):
        """Adds a batch that is open, to be sent later."""
        self._open.append(batch)
        if len(self._open) == 1:
            self._check_later()

    def count_key(self):
        """Records that a coroutine has asked for a key: the loop is not quiet."""
        self._keys += 1

    def _check_later(self, seen=-1, quiet=0):
        self._loop().call_soon(self._check, seen, quiet)

    def _check(self, seen, quiet):
        ready = ready_callbacks(self._loop())
        if ready or (ready is None and quiet < _QUIET_ITERATIONS):
            quiet = 0 if self._keys > seen else quiet + 1
            if quiet < _QUIET_ITERATIONS:
                self._check_later(self._keys, quiet)
                return
        best = max(self._open, key=lambda batch: batch.loader.settings.priority)
        self._open.remove(best)
        best.start()
        if self._open:
            self._check_later()


_queues = weakref.WeakKeyDictionary()


def ready_callbacks(loop):
    """Returns the callbacks that run next on a loop, or None for loops that do not show them."""
    return getattr(loop, "_ready", None)


class AsyncioBatch(LoaderBatch):
    """The batch of a loader on an event loop."""

    __slots__ = ("_caller", "_loop", "_tasks")

    def __init__(self, loader, batches):
        super().__init__(loader, batches)
        self._caller = CallerContext()
        self._loop = asyncio.get_running_loop()
        SendQueue.of_running_loop().add(self)

    def start(self):
        """Sends the requests of the batch."""
        self.batches.close(self)
        self.batches.start(self)
        requests = self.split()
        self._tasks = [self._caller.start(self._send(request)) for request in requests]
        if not requests:
            self._complete()

    async def _send(self, request):
        try:
            request.start()
            async with _permitted(limit.permits(self.loader.limit), self._loop):
                # Not `asyncio.wait_for`: it waits for calls that ignore their cancellation, and its
                # TimeoutError looks like one of the batch function.
                call = self._caller.start(self._call(request.keys))
                try:
                    await asyncio.wait([call], timeout=self.loader.settings.timeout)
                finally:
                    is_late = call.cancel()
                if is_late:
                    request.time_out()
                    return
                answer = call.result()
        except GeneratorExit:
            raise  # The loop is closed, so no coroutine waits for the request.
        except BaseException as error:
            request.fail(error)
        else:
            request.deliver(answer)

    async def _call(self, keys):
        loader = self.loader
        if is_async_fn(loader.fn):
            return await loader.fn.asyncio(keys)
        if loader.settings.blocking:
            # A new CallerContext: two threads cannot enter the same context at once.
            caller = CallerContext()
            return await asyncio.wrap_future(thread_pool.submit(caller.run, loader.fn, keys))
        with NoAsyncioMode():
            answer = loader.fn(keys)
        return await answer if inspect.isawaitable(answer) else answer


@contextlib.asynccontextmanager
async def _permitted(permits, loop):
    """Waits for the permits, and releases them after the block."""
    permitted = loop.create_future()

    def begin():
        try:
            loop.call_soon_threadsafe(lambda: permitted.done() or permitted.set_result(None))
        except RuntimeError:
            permits.release()  # The loop was closed meanwhile.

    permits.acquire(begin)
    try:
        await permitted
        yield
    finally:
        permits.release()


async def wait_for_load(load):
    """Waits until a load is resolved. Returns its value, or raises its error."""
    SendQueue.of_running_loop().count_key()
    if not load.is_computed():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake(_):
            if not (future.done() or loop.is_closed()):
                future.set_result(None)

        load.on_computed.subscribe(wake)
        await future
    return load.value()
