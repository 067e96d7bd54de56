"""Cancelled calls on an event loop: each one cancels the tasks that nobody else awaits."""

import asyncio

import pytest
from event_loop_source import Item, on_loop, tenfold

import asynq
from asynq import get_scheduler


class Naps:
    """Async functions that wait for an event, and a log of their ends."""

    def __init__(self):
        self.log = []
        self.event = asyncio.Event()

    @asynq.asynq()
    def nap(self, name):
        try:
            return (yield self.event.wait())
        except asyncio.CancelledError:
            self.log.append(name)
            raise

    @asynq.asynq()
    def outer(self, name, awaited):
        try:
            return (yield awaited)
        except asyncio.CancelledError:
            self.log.append(name)
            raise


async def cancelled(task):
    with pytest.raises(asyncio.CancelledError):
        await task


@on_loop
async def test_cancelling_an_awaiting_task_cancels_what_it_awaits(source):
    naps = Naps()
    task = asyncio.create_task(naps.outer.asyncio("outer", naps.nap.asynq("inner")))
    await asyncio.sleep(0.001)
    task.cancel()
    await cancelled(task)
    assert naps.log == ["inner", "outer"]


@on_loop
async def test_what_somebody_else_awaits_goes_on(source):
    naps = Naps()
    shared = naps.nap.asynq("shared")
    first = asyncio.create_task(naps.outer.asyncio("first", shared))
    second = asyncio.create_task(naps.outer.asyncio("second", shared))
    await asyncio.sleep(0.001)
    first.cancel()
    await cancelled(first)
    naps.event.set()
    assert await second is True
    assert naps.log == ["first"]


@on_loop
async def test_a_call_that_two_coroutines_await_goes_on_for_the_other(source):
    naps = Naps()
    call = naps.nap.asyncio("call")

    async def wait():
        return await call

    first, second = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
    await asyncio.sleep(0.001)
    first.cancel()
    await cancelled(first)
    naps.event.set()
    assert await second is True
    assert naps.log == []


@on_loop
async def test_a_call_that_is_cancelled_before_it_begins_does_not_run(source):
    call = tenfold.asyncio(source, 1)
    assert call.cancel()
    await cancelled(call)
    await asyncio.sleep(0)
    assert call.cancelled()
    assert source.flushes == []


@on_loop
async def test_a_function_may_go_on_after_its_cancellation(source):
    @asynq.asynq()
    def stubborn():
        try:
            yield asyncio.Event().wait()
        except asyncio.CancelledError:
            return (yield Item(source, 1))

    task = asyncio.create_task(stubborn.asyncio())
    await asyncio.sleep(0.001)
    task.cancel()
    assert await task == 10


@on_loop
async def test_a_timeout_cancels(source):
    naps = Naps()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(naps.outer.asyncio("outer", [naps.nap.asynq("inner")]), 0.001)
    assert naps.log == ["inner", "outer"]


@on_loop
async def test_a_long_chain_is_cancelled(source):
    naps = Naps()

    @asynq.asynq()
    def chain(length):
        return (yield chain.asynq(length - 1) if length else naps.nap.asynq("innermost"))

    task = asyncio.create_task(chain.asyncio(10_000))
    await asyncio.sleep(0.001)
    while not get_scheduler()._tasks:
        await asyncio.sleep(0)
    task.cancel()
    await cancelled(task)
    assert naps.log == ["innermost"]


@on_loop
async def test_a_key_that_only_a_cancelled_task_waits_for_is_not_sent(source):
    sent = []

    @asynq.loader(max_delay=None)
    async def load(keys):
        sent.append(list(keys))
        return {key: key for key in keys}

    @asynq.asynq()
    def loads(*keys):
        return (yield [load.asynq(key) for key in keys])

    first, second = loads.asyncio(1, 2), loads.asyncio(2, 3)
    await asyncio.sleep(0)  # They wait, and the loop is not idle.
    first.cancel()
    assert await second == [2, 3]
    assert sent == [[2, 3]]
