"""`delay`, which lets a task sleep without blocking other tasks.

A delay is an item of a batch that sleeps in its flush. That batch has the lowest priority, so the
scheduler flushes it only when nothing else can run.
"""

import sys
import time

from ._asynq import BatchBase, BatchItemBase
from ._scheduler_local import GreenletLocal


class Delay(BatchItemBase):
    """A future that is resolved after the batch has slept `seconds` for it.

    Its value is the number of seconds that still remain: 0, or more if the batch has slept less.
    """

    def __init__(self, seconds):
        super().__init__(_open.get().batch)
        self.seconds = seconds


class DelayBatch(BatchBase):
    """The delays that tasks wait for. A flush sleeps as long as the shortest of them takes."""

    def get_priority(self):
        return (-sys.maxsize, 0)  # After every other batch.

    def _try_switch_active_batch(self):
        if _open.get().batch is self:
            _open.get().batch = DelayBatch()

    def _flush(self):
        shortest = min(item.seconds for item in self.items)
        time.sleep(shortest)
        for item in self.items:
            item.set_value(item.seconds - shortest)

    def _cancel(self):
        pass


class _Open:
    """The batch that takes delays."""

    def __init__(self):
        self.batch = DelayBatch()


_open = GreenletLocal(_Open)


def delay(seconds):
    """Sleeps for so many seconds. Call it in a task: `yield from delay(0.1)`."""
    while True:
        seconds = yield Delay(seconds)
        if seconds == 0:
            return
