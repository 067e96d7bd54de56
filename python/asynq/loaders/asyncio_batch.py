"""Batches of loaders whose keys are asked for by coroutines of an asyncio event loop."""

import asyncio
import contextlib
import functools
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


class PerLoop:
    """An object for each event loop, which lives as long as the loop."""

    def __init__(self, new):
        self._new = new
        self._others = weakref.WeakKeyDictionary()

    def of_running_loop(self):
        """Returns the object of the running loop, made by `new()` on first use."""
        loop = asyncio.get_running_loop()
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


def _get_or_make(objects, key, new):
    found = objects.get(key)
    return objects.setdefault(key, new()) if found is None else found


class SendQueue:
    """The queue of open batches of an event loop, which sends them one after the other.

    It sends a batch only when nothing else can run on the loop. Coroutines that reach a loader
    after different numbers of steps then meet in one batch.
    """

    def __init__(self):
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._open = []
        self._keys = 0
        self._is_checking = False

    def add(self, batch):
        """Adds a batch that is open, to be sent later."""
        self._open.append(batch)
        self._check_later()

    def count_key(self):
        """Records that a coroutine has asked for a key: the loop is not quiet."""
        self._keys += 1

    def _check_later(self, seen=-1, quiet=0):
        if not self._is_checking:
            self._loop().call_soon(self._check, seen, quiet)
            self._is_checking = True

    def _check(self, seen, quiet):
        self._is_checking = False
        try:
            ready = ready_callbacks(self._loop())
            if ready or (ready is None and quiet < _QUIET_ITERATIONS):
                quiet = 0 if self._keys > seen else quiet + 1
                if quiet < _QUIET_ITERATIONS:
                    self._check_later(self._keys, quiet)
                    return
            if self._open:
                self._send(max(self._open, key=lambda batch: batch.loader.settings.priority))
        finally:
            if self._open:
                self._check_later()  # Also after the exception of a signal handler.

    def _send(self, batch):
        try:
            batch.start()
        except BaseException as error:
            batch.fail(error)
            raise
        finally:
            self._open.remove(batch)


_queues = PerLoop(SendQueue)


def ready_callbacks(loop):
    """Returns the callbacks that run next on a loop, or None for loops that do not show them."""
    return getattr(loop, "_ready", None)


class AsyncioBatch(LoaderBatch):
    """The batch of a loader on an event loop."""

    __slots__ = ("_caller", "_loop", "_tasks", "_unsent")

    def __init__(self, loader, batches):
        super().__init__(loader, batches)
        self._caller = CallerContext()
        self._loop = asyncio.get_running_loop()
        self._unsent = []  # The last one is sent first.
        self._tasks = {}  # The task of each request that was sent and has not finished.
        _queues.of_running_loop().add(self)

    def start(self):
        """Sends the requests of the batch."""
        self.batches.close(self)
        self._unsent = self.split()[::-1]
        self.batches.start_flight(self, self._unfinished)
        if not self._unsent:
            self.batches.complete_flight(self)
        while self._unsent:
            self._start(self._unsent[-1])
            self._unsent.pop()

    def fail(self, error):
        """Fails the requests that were not sent, because an error has kept them from that."""
        while self._unsent:
            try:
                self._unsent.pop().fail(error)
            except BaseException as raised:
                if raised is not error:  # Otherwise an interrupt, which the caller raises again.
                    raise

    def _start(self, request):
        task = self._tasks[request] = self._caller.start(self._send(request))
        task.add_done_callback(functools.partial(self._finish, request))

    async def _send(self, request):
        request.start()
        permits = limit.permits(self.loader.limit, self._loop)
        async with _permitted(permits, self._loop):
            # Not `asyncio.wait_for`: it waits for calls that ignore their cancellation, and its
            # TimeoutError looks like one of the batch function.
            call = self._caller.start(self._call(request.keys))
            try:
                await asyncio.wait([call], timeout=self.loader.settings.timeout)
            except GeneratorExit:
                raise  # The loop is closed, and the call cannot be cancelled.
            except BaseException:
                call.cancel()
                raise
            is_late = call.cancel()
        if is_late:
            request.time_out()
            return
        answer, error = call.result()
        if error is None:
            request.deliver(answer)
        else:
            request.fail(error)

    def _finish(self, request, task):
        """Fails a request whose task has ended without having finished it."""
        self._tasks.pop(request, None)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not request.has_finished:
            with contextlib.suppress(asyncio.CancelledError):
                request.fail(error)

    async def _call(self, keys):
        """Returns the answer and None, or None and the error.

        A task cannot raise a StopIteration, and its GeneratorExit means that its loop was closed.
        """
        loader = self.loader
        try:
            if is_async_fn(loader.fn):
                return await loader.fn.asyncio(keys), None
            if loader.settings.blocking:
                # A new CallerContext: two threads cannot enter the same context at once.
                future = self._loop.create_future()
                job = functools.partial(self._run, future, CallerContext(), keys)
                thread_pool.submit(job)
                return await future
            with NoAsyncioMode():
                answer = loader.fn(keys)
            return (await answer if inspect.isawaitable(answer) else answer), None
        except BaseException as error:
            return None, error

    def _run(self, future, caller, keys):
        """Calls the batch function on a worker thread."""
        if future.cancelled():
            return
        try:
            answer = thread_pool.run(caller.run, self.loader.fn, keys), None
        except BaseException as error:
            answer = None, error
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
            self._loop.call_soon_threadsafe(_set_result, future, answer)


def _set_result(future, result):
    if not future.done():
        future.set_result(result)


@contextlib.asynccontextmanager
async def _permitted(permits, loop):
    """Waits for the permits, and releases them after the block."""
    permitted = loop.create_future()
    wake = functools.partial(loop.call_soon_threadsafe, _set_result, permitted, None)
    try:
        permits.acquire(wake)
        await permitted
        yield
    finally:
        permits.release()


async def wait_for_load(load):
    """Waits until a load is resolved. Returns its value, or raises its error."""
    _queues.of_running_loop().count_key()
    if not load.is_computed():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake(_):
            if not (future.done() or loop.is_closed()):
                future.set_result(None)

        load.on_computed.subscribe(wake)
        await future
    return load.value()
