"""Batches: many items that are answered by one request.

A source of batches consists of two classes. Tasks yield items; the batch answers all of its items
in one call of `_flush`:

>>> from asynq import asynq, BatchBase, BatchItemBase
>>> class Squares(BatchBase):
...     current = None
...     def _try_switch_active_batch(self):
...         if Squares.current is self:
...             Squares.current = Squares()
...     def _flush(self):
...         print("one request for", [item.number for item in self.items])
...         for item in self.items:
...             item.set_value(item.number ** 2)
>>> Squares.current = Squares()
>>> class Square(BatchItemBase):
...     def __init__(self, number):
...         super().__init__(Squares.current)
...         self.number = number
>>> @asynq()
... def sum_of_squares(numbers):
...     return sum((yield [Square(n) for n in numbers]))
>>> sum_of_squares([1, 2, 3])
one request for [1, 2, 3]
14
"""

import threading

from . import debug
from ._asynq import BatchBase, BatchItemBase
from ._scheduler_local import GreenletLocal

__all__ = [
    "BatchBase",
    "BatchCancelledError",
    "BatchItemBase",
    "BatchingError",
    "DebugBatch",
    "DebugBatchItem",
    "LocalDebugBatchState",
    "sync",
]

__traceback_hide__ = True


class BatchingError(Exception):
    """A batch was used wrongly, for example flushed twice."""


class BatchCancelledError(BatchingError):
    """Error of the items of a cancelled batch, unless `cancel` got another error."""


class DebugBatchItem(BatchItemBase):
    """An item that gets the value `result` when its batch is flushed, for tests and experiments.

    Items with the same `batch_name` share a batch.

    >>> DebugBatchItem(result=42).value()
    42
    """

    def __init__(self, batch_name="default", result=None):
        batches = _debug_batch_state.batches
        batch = batches.get(batch_name)
        if batch is None:
            batch = batches[batch_name] = DebugBatch(batch_name)
        super().__init__(batch)
        self._result = result


class DebugBatch(BatchBase):
    """A batch of `DebugBatchItem`s. `index` counts the batches with the same name from 0."""

    def __init__(self, name="default", index=0):
        super().__init__()
        self.name = name
        self.index = index

    def _try_switch_active_batch(self):
        batches = _debug_batch_state.batches
        if batches.get(self.name) is self:
            batches[self.name] = DebugBatch(self.name, self.index + 1)

    def _flush(self):
        self._trace("flushing")
        for item in self.items:
            item.set_value(item._result)

    def _cancel(self):
        self._trace("cancelling")

    def _trace(self, doing):
        if debug.options.DUMP_SYNC:
            name = debug.repr(self.name)
            debug.write(f"@async.debug.sync: {doing} batch {name} ({self.index})")


class LocalDebugBatchState(threading.local):
    """The open `DebugBatch` objects of a thread or greenlet, by name."""

    def __init__(self):
        super().__init__()
        self._batches = GreenletLocal(dict)

    @property
    def batches(self):
        return self._batches.get()


_debug_batch_state = LocalDebugBatchState()


def sync(tag="default"):
    """Returns a future at which tasks wait for each other.

    A task that yields it continues when no task can run any more. Tasks that yield the same `tag`
    continue together. Also known as `asynq.debug.sync`.
    """
    return DebugBatchItem(f"sync-{tag}")
