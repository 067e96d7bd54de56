"""Delays: items of a batch whose flush sleeps.

It is flushed when nothing else can be done, so that whoever waits holds up nobody.
"""

import sys
import threading
import time

from ._asynq import BatchBase, BatchItemBase


class Delay(BatchItemBase):
    """A future that is computed once `seconds` were slept for it."""

    def __init__(self, seconds):
        super().__init__(_open.batch)
        self.seconds = seconds


class DelayBatch(BatchBase):
    """All delays that have begun since the last one ended; they end together if they are equal."""

    def get_priority(self):
        return (-sys.maxsize, 0)  # After every other batch.

    def _try_switch_active_batch(self):
        if _open.batch is self:
            _open.batch = DelayBatch()

    def _flush(self):
        shortest = min(item.seconds for item in self.items)
        time.sleep(shortest)
        for item in self.items:
            item.set_value(item.seconds - shortest)

    def _cancel(self):
        pass


class _OpenBatch(threading.local):
    def __init__(self):
        self.batch = DelayBatch()


_open = _OpenBatch()


def delay(seconds):
    """Waits, as a part of a task: `yield from delay(0.1)`."""
    while True:
        seconds = yield Delay(seconds)
        if seconds == 0:
            return
