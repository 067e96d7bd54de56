"""Awaits one after the other leave turns of the event loop to others."""

import asyncio
import time

import pytest

import asynq
from asynq import BatchBase, BatchItemBase


class SlowBatch(BatchBase):
    """A batch whose flush takes longer than a drive may last."""

    current = None

    def _flush(self):
        time.sleep(0.002)
        for item in self.items:
            item.set_value(2 * item.key)

    def _try_switch_active_batch(self):
        SlowBatch.current = None


class SlowItem(BatchItemBase):
    def __init__(self, key):
        SlowBatch.current = SlowBatch.current or SlowBatch()
        super().__init__(SlowBatch.current)
        self.key = key


@asynq.asynq()
def slow(key):
    return (yield SlowItem(key))


@asynq.asynq()
def slow_ones(count):
    for key in range(count):
        yield SlowItem(key)


@asynq.loader
def on_thread(keys):
    return [2 * key for key in keys]


@asynq.loader
async def at_once(keys):
    return [2 * key for key in keys]


async def one_by_one(load):
    for key in range(20):
        assert await load(key) == 2 * key


AWAITS = {
    "calls": lambda: one_by_one(slow.asyncio),
    "a call with many batches": lambda: slow_ones.asyncio(20),
    "loads by a function": lambda: one_by_one(on_thread.asyncio),
    "loads by a coroutine": lambda: one_by_one(at_once.asyncio),
}


@pytest.mark.parametrize("awaits", AWAITS.values(), ids=AWAITS)
def test_a_timer_fires_meanwhile(awaits):
    async def main():
        fired = []
        asyncio.get_running_loop().call_later(0, fired.append, True)
        await awaits()
        return fired

    assert asyncio.run(main())


@pytest.mark.parametrize("load", [slow, at_once], ids=["calls", "loads"])
def test_a_task_that_loads_for_ever_can_be_cancelled(load):
    async def load_for_ever():
        while True:
            await load.asyncio(1)

    async def main():
        task = asyncio.create_task(load_for_ever())
        asyncio.get_running_loop().call_later(0, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
