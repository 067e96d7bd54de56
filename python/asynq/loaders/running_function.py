"""The call of a batch function in which code runs, and the loads that it waits for."""

import asyncio
import contextvars
import functools
from concurrent.futures import CancelledError

from .._asynq import set_asyncio_result
from .errors import LoadError, self_wait
from .limit import wait_for_permits
from .thread_pool import thread_pool

__traceback_hide__ = True

# Maximum number of batch functions that wait for each other. More are an endless recursion.
_MAX_DEPTH = 100

running_function = contextvars.ContextVar("asynq.running_function", default=None)


class RunningFunction:
    """A call of a batch function. `running_function` is the innermost one of a context.

    While it waits for a load of another call, it lends its permits and its worker thread, so that
    the other one cannot wait for these.

    Raises `RecursionError` if too many calls wait for each other.
    """

    __slots__ = (
        "_depth",
        "_job",
        "_parent",
        "_request",
        "is_nested",
        "may_run_here",
        "permits",
        "waits_for",
    )

    def __init__(self, request, permits, parent):
        self.permits = permits
        self.waits_for = set()
        self._request = request
        self._job = None
        self.may_run_here = False  # True while the thread that waits for it sends it.
        self._parent = parent
        while self._parent is not None and self._parent.has_ended:
            self._parent = self._parent._parent
        self.is_nested = self._parent is not None
        self._depth = self._parent._depth + 1 if self.is_nested else 1
        if self.is_nested:
            permits.nest()
        if self._depth > _MAX_DEPTH:
            raise RecursionError(
                f"batch functions of loaders wait for each other, {_MAX_DEPTH} levels deep"
            )

    @property
    def has_ended(self):
        """Returns whether the call has ended, or nobody waits for it any more."""
        return self._request is None

    def end(self):
        """Ends the call. Code that it has started may still run in its context."""
        self._request = self._job = None
        self.waits_for.clear()

    def is_within(self, other):
        """Returns whether it is another call, or was made by that one."""
        function = self
        while function is not None and function is not other:
            function = function._parent
        return function is other

    def submit(self, job, fail):
        """Calls `job()` on a worker thread, or `fail(error)` if an executor drops it."""
        executor = self._request.loader.settings.executor
        if executor is not None:
            executor.submit(job).add_done_callback(functools.partial(_report_dropped, fail))
            return
        self._job = job
        # A job with a permit may also take the place of a thread that waits: that may wait for it.
        thread_pool.submit(job, self.is_nested or self.permits.is_limited, self.may_run_here)

    def nest(self):
        """Notes that another call waits for this one, which may wait for a permit or thread."""
        self.is_nested = True
        self.permits.nest()
        if self._job is not None:
            thread_pool.nest(self._job)

    # The extension calls these two when a synchronous call in this context waits.

    def lend(self):
        """Lends the permits and the thread of this call, which begins to wait."""
        thread_pool.lend()
        self.permits.lend()

    def take_back(self, begin):
        """Ends a wait. Returns whether the call can go on: otherwise `begin()` is called then."""
        thread_pool.take_back()
        return self.permits.take_back(begin)

    async def wait_for(self, load, wait):
        """Awaits `wait`, which waits for a load. Returns the value."""
        loop = asyncio.get_running_loop()
        self._check(load)
        self.waits_for.add(load)
        self.permits.lend()
        error = None
        try:
            value = await wait
        except Exception as raised:
            error = raised
        except BaseException:
            self.permits.take_back(None)
            raise
        finally:
            self.waits_for.discard(load)
        can_go_on = loop.create_future()

        def begin():
            loop.call_soon_threadsafe(set_asyncio_result, can_go_on, None)

        if not self.permits.take_back(begin):
            await wait_for_permits(self.permits, can_go_on)
        if error is not None:
            try:
                raise error
            finally:
                del error
        return value

    def _check(self, load):
        """Raises a `LoadError` if the load waits for this call."""
        if self.has_ended:
            return
        _nest(load)
        unseen, seen = _functions_of([load]), set()
        while unseen:
            function = unseen.pop()
            if function is self:
                raise self._deadlock(load.batch.loader, load.key)
            seen.add(function)
            unseen += [other for other in _functions_of(function.waits_for) if other not in seen]

    def _deadlock(self, loader, key):
        if self._request.loader is loader and key in self._request.keys:
            return self_wait(loader.name, key)
        why = (
            f"the batch function of {self._request.loader.name} waits for this key, which waits for"
            " that function (deadlock)"
        )
        return LoadError(loader.name, key, why)


def _functions_of(loads):
    """Returns the calls that were sent for those of the loads that are not resolved."""
    requests = [load.request for load in loads]
    functions = [request.function for request in requests if request is not None]
    return [function for function in functions if function is not None]


def _nest(load):
    """Notes that a batch function waits for a load."""
    request, batch = load.request, load.batch
    if request is not None:
        request.nest()
    elif batch is not None:
        batch.host.nest()


def _report_dropped(fail, future):
    """Reports that an executor has cancelled a job, or could not call it. A job never raises."""
    error = CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        fail(error)
