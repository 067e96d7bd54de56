"""The batch of a loader: keys that tasks of one thread ask for before the next flush."""

from .._asynq import RoundBase
from ..decorators import asynq, is_async_fn
from .request import Request

__traceback_hide__ = True


class LoaderBatch(RoundBase):
    """A batch of loads. Its flush sends one request, or more if `max_batch_size` demands it.

    `batches` is the collection that the batch belongs to: the unfinished batches of a loader in one
    thread, or on one event loop.
    """

    __slots__ = ("_unfinished", "batches", "loader")

    def __init__(self, loader, batches):
        if hasattr(self, "loader"):
            raise RuntimeError("this batch is initialized already: make a new one instead")
        self.loader = loader
        self.batches = batches
        self._unfinished = set()

    def split(self):
        """Closes the batch for new keys, and returns its requests."""
        loads, keys = self.begin()
        size = self.loader.settings.max_batch_size or max(len(loads), 1)
        requests = [
            Request(self, loads[start : start + size], keys[start : start + size])
            for start in range(0, len(loads), size)
        ]
        self._unfinished = set(requests)
        return requests

    def request_finished(self, request):
        """Notes that a request has finished. The last one completes the batch.

        It may be called again for the same request, if a signal handler has raised in it.
        """
        self._unfinished.discard(request)
        if not self._unfinished and self.is_in_flight:
            self._complete()

    def _complete(self):
        self.batches.complete_flight(self)

    def _try_switch_active_batch(self):
        self.batches.close(self)

    def _flush(self):
        requests = self.split()
        flush_task = None
        # With a limit it is called synchronously, so that it lends its permits whenever it waits.
        if is_async_fn(self.loader.fn) and self.loader.group_limit is None:
            flush_task = _run_all.asynq(requests)
        else:
            for request in requests:
                request.send()
        self.batches.start_flight(self, self._unfinished, flush_task)

    def __str__(self):
        return f"loader {self.loader.name} ({len(self.items)} keys)"


class PrioritizedBatch(LoaderBatch):
    """A batch of a loader that has a `priority`."""

    __slots__ = ()

    def get_priority(self):
        return (self.loader.settings.priority, len(self.items))


@asynq()
def _run_all(requests):
    """Sends requests whose batch function is an `@asynq()` function, as concurrent tasks."""
    yield [_run.asynq(request) for request in requests]


@asynq()
def _run(request):
    try:
        request.start()
        if request.loader.settings.timeout is not None:
            request.watch().start_timeout()
        answer = yield request.loader.fn.asynq(request.keys)
    except BaseException as error:
        request.fail(error)
    else:
        request.deliver(answer)
