"""A source of tenfold numbers, and async functions that load from it on an event loop."""

import asyncio

import asynq
from asynq import BatchBase, BatchItemBase


class Source:
    """A source of tenfold numbers, with the keys of its flushes."""

    def __init__(self, priority=None):
        self.flushes = []
        self.priority = priority
        self.open = Batch(self)


class Batch(BatchBase):
    def __init__(self, source):
        super().__init__()
        self.source = source

    def get_priority(self):
        return (0, len(self.items)) if self.source.priority is None else self.source.priority

    def _try_switch_active_batch(self):
        if self.source.open is self:
            self.source.open = Batch(self.source)

    def _flush(self):
        self.source.flushes.append([item.key for item in self.items])
        for item in self.items:
            item.set_value(10 * item.key)


class Item(BatchItemBase):
    def __init__(self, source, key):
        super().__init__(source.open)
        self.key = key


@asynq.asynq()
def tenfold(source, key):
    return (yield Item(source, key))


@asynq.asynq(allow_sync_call=True)
def may_block(source, key):
    return (yield Item(source, key))


@asynq.asynq()
def yields(x):
    return (yield x)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


def on_loop(main):
    """Makes a test of a coroutine function, which gets a source."""

    def test():
        run(main(Source()))

    test.__name__ = main.__name__
    return test
