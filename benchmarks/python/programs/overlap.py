"""A round with requests to several blocking sources."""

from __future__ import annotations

from typing import Any, Callable

import asynq


def round_over(functions: list[Callable[[list[Any]], list[Any]]]) -> Callable[[], list[Any]]:
    """Returns a function that asks each source for one key, concurrently."""
    asks = [asker(function) for function in functions]

    @asynq.asynq()
    def one_round():
        return (yield [ask() for ask in asks])

    return one_round


def asker(function: Callable[[list[Any]], list[Any]]) -> Callable[[], Any]:
    """Returns a function that returns a future of one key."""
    if hasattr(asynq, "loader"):
        loader = asynq.loader(function, blocking=True)
        return lambda: loader.asynq(1)

    class Source(asynq.BatchBase):
        def _try_switch_active_batch(self):
            if batches[-1] is self:
                batches.append(Source())

        def _flush(self):
            values = function([item.key for item in self.items])
            for item, value in zip(self.items, values):
                item.set_value(value)

    class Item(asynq.BatchItemBase):
        def __init__(self, key):
            super().__init__(batches[-1])
            self.key = key

    batches = [Source()]
    return lambda: Item(1)
