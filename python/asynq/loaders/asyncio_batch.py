"""Batches of loaders whose keys are asked for by coroutines of an asyncio event loop."""

import asyncio
import contextlib
import functools
import inspect
import weakref

from .._asynq import call_until_done, set_asyncio_result
from ..asynq_to_async import NoAsyncioMode
from ..decorators import is_async_fn
from .batch import LoaderBatch
from .caller_context import CallerContext
from .running_function import running_function, wait_until_resolved

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
            self._loop().call_soon(call_until_done, self._check, seen, quiet)
            self._is_checking = True

    # A signal handler may raise at any line of this, and then it is called again.
    def _check(self, seen, quiet):
        self._is_checking = False
        ready = ready_callbacks(self._loop())
        if self._open and (ready or (ready is None and quiet < _QUIET_ITERATIONS)):
            quiet = 0 if self._keys > seen else quiet + 1
            if quiet < _QUIET_ITERATIONS:
                self._check_later(self._keys, quiet)
                return
        try:
            if self._open:
                self._send(max(self._open, key=lambda batch: batch.loader.settings.priority))
        finally:
            if self._open:
                self._check_later()

    def _send(self, batch):
        try:
            batch.start()
        except BaseException as error:
            batch.fail(error)
            raise
        if batch in self._open:
            self._open.remove(batch)


_queues = PerLoop(SendQueue)


def ready_callbacks(loop):
    """Returns the callbacks that run next on a loop, or None for loops that do not show them."""
    return getattr(loop, "_ready", None)


class AsyncioBatch(LoaderBatch):
    """The batch of a loader on an event loop."""

    __slots__ = ("_caller", "_failures", "_is_nested", "_loop", "_requests", "_tasks", "_unsent")

    def __init__(self, loader, batches):
        super().__init__(loader, batches)
        self._caller = CallerContext(loader)
        self._loop = asyncio.get_running_loop()
        self._is_nested = False
        self._failures = 0
        self._requests = None  # By their loads, once a load was abandoned.
        self._unsent = None  # The requests, once the batch is split. The last one is sent first.
        self._tasks = {}  # The task of each request that was sent and has not finished.
        _queues.of_running_loop().add(self)

    def start(self):
        """Sends the requests of the batch. It may be called again after an exception."""
        if self._unsent is None:
            self.batches.close(self)
            self.prune()
            self._unsent = self.split()[::-1]
        self._start_flight()
        while self._unsent:
            self._start(self._unsent[-1])
            self._unsent.pop()

    def fail(self, error):
        """Fails the requests that were not sent, because an error has kept them from that."""
        if self._unsent is None:
            self._failures += 1
            if self._failures > 1:  # It is not the exception of a signal handler.
                self._unsent = []
                self.cancel(error)
            return
        while self._unsent:
            try:
                self._unsent.pop().fail(error)
            except BaseException as raised:
                if raised is not error:  # Otherwise an interrupt, which the caller raises again.
                    raise
        self._start_flight()  # It may have no other chance: the loop may end with this iteration.

    def _start_flight(self):
        if self.is_computed():
            return
        self.batches.start_flight(self, self._unfinished)
        if not self._unfinished:
            self.batches.complete_flight(self)

    def abandon(self, load):
        """Notes that no coroutine waits for a load any more.

        If that holds for all loads of a request, an async function that loads them is cancelled. A
        key that was not sent will not be.
        """
        if self._unsent is None or self.loader.settings.blocking:
            return
        if self._requests is None:
            requests = list(self._unfinished)
            self._requests = {one: request for request in requests for one in request.loads}
        request = self._requests.get(load)
        task = self._tasks.get(request)
        if task is not None and request.abandon():
            for one in request.loads:
                self.forget(one._cache_key, None)  # Who asks for the key now causes a new request.
            task.cancel()

    def nest(self, load):
        """Notes that a batch function waits for a load of this batch."""
        self._is_nested = True
        function = self.function_of(load)
        if function is not None:
            function.nest()

    def function_of(self, load):
        """Returns the `RunningFunction` that loads a key, or None if it was not called yet."""
        requests = (request for request in self._unfinished if request.holds(load))
        return next((request.function for request in requests), None)

    def _start(self, request):
        task = self._tasks[request] = self._caller.start(self._send(request))
        task.add_done_callback(functools.partial(call_until_done, self._finish, request))

    async def _send(self, request):
        # The permits of a blocking function are given back by its thread.
        event_loop = None if self.loader.settings.blocking else self._loop
        function = request.new_function(event_loop)
        function.is_nested = function.is_nested or self._is_nested
        # Not `asyncio.wait_for`: it waits for calls that ignore their cancellation, and its
        # TimeoutError looks like one of the batch function.
        call = self._caller.start(self._call(function, request))
        try:
            try:
                await asyncio.wait([call], timeout=self.loader.settings.timeout)
            except GeneratorExit:
                raise  # The loop is closed, and the call cannot be cancelled.
            except BaseException:
                call.cancel()
                raise
            if call.cancel():
                request.time_out()
                return
        finally:
            function.permits.release()
        answer, error = call.result()
        if error is None:
            request.deliver(answer)
        else:
            request.fail(error)

    def _finish(self, request, task):
        """Fails a request whose task has ended without having finished it.

        A signal handler may raise at any line of this, and then it is called again.
        """
        self._tasks.pop(request, None)
        if not self._tasks:
            self._requests = None
        if request.function is not None:
            request.function.permits.release()
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not request.has_finished:
            with contextlib.suppress(asyncio.CancelledError):
                request.fail(error)

    async def _call(self, function, request):
        """Returns the answer and None, or None and the error.

        A task cannot raise a StopIteration, and its GeneratorExit means that its loop was closed.
        """
        loader = self.loader
        try:
            running_function.set(function)  # In the context of this task.
            if loader.settings.blocking:
                return await self._call_on_thread(function, request)
            await self._acquire(function.permits)
            request.start()
            try:
                if is_async_fn(loader.fn):
                    answer = await loader.fn.asyncio(request.keys)
                else:
                    with NoAsyncioMode():
                        answer = loader.fn(request.keys)
                    if inspect.isawaitable(answer):
                        answer = await answer
            finally:
                request.stop()
            return answer, None
        except BaseException as error:
            return None, error

    async def _acquire(self, permits):
        acquired = self._loop.create_future()
        permits.acquire(functools.partial(self._set_result, acquired, None))
        await acquired

    async def _call_on_thread(self, function, request):
        future = self._loop.create_future()
        # A new CallerContext: two threads cannot enter the same context at once.
        caller = CallerContext(self.loader)
        job = functools.partial(self._run, future, caller, function.permits, request)
        function.permits.acquire(functools.partial(self._submit, future, function, job))
        return await future

    def _submit(self, future, function, job):
        def fail(error):
            self._set_result(future, (None, error))

        try:
            function.submit(job, fail)
        except RuntimeError as error:
            fail(error)

    def _run(self, future, caller, permits, request):
        """Calls the batch function on a worker thread."""
        answer = None
        if not (future.done() or self._loop.is_closed()):
            try:
                answer = request.call_on_thread(caller), None
            except BaseException as error:
                answer = None, error
        permits.release()
        self._set_result(future, answer)

    def _set_result(self, future, result):
        """Sets the result of a future, in any thread."""
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
            self._loop.call_soon_threadsafe(set_asyncio_result, future, result)


async def wait_for_load(load):
    """Waits until a load is resolved. Returns its value, or raises its error."""
    _queues.of_running_loop().count_key()
    if not load.is_computed():
        try:
            await wait_until_resolved(load, asyncio.get_running_loop())
        except asyncio.CancelledError:
            batch = load.batch
            if not (load.is_awaited or batch is None):
                batch.abandon(load)
            raise
    return load.value()
