"""The batches of loaders on a scheduler."""

from .._asynq import LoaderBatch
from ..decorators import asynq

__traceback_hide__ = True


class PrioritizedBatch(LoaderBatch):
    """A batch of a loader that has a `priority`."""

    __slots__ = ()

    def get_priority(self):
        return (self.loader.settings.priority, len(self.items))


def wait_for_parts(batch):
    """Returns a task that ends with the tasks that have the keys of a batch.

    The extension imports it.
    """
    return _wait_for_parts.asynq(batch)


@asynq()
def _wait_for_parts(batch):
    # Keys may be sent with another part than expected, when others are given up.
    while True:
        tasks = [request.task for request in batch.requests if request.task is not None]
        if not tasks:
            return
        yield tasks
