"""Async functions on an event loop: the scheduler of the loop runs them."""

import asyncio
import contextlib

import pytest
from event_loop_source import Item, Source, may_block, on_loop, run, tenfold, yields

import asynq
from asynq import FutureBase, get_scheduler
from asynq.scheduler import AsyncTaskError


@pytest.fixture
def source():
    return Source()


# Calls


def test_asyncio_run_takes_a_call_that_was_made_before_the_loop_runs(source):
    assert asyncio.run(tenfold.asyncio(source, 1)) == 10


@on_loop
async def test_calls_begin_at_once(source):
    a, b = tenfold.asyncio(source, 1), tenfold.asyncio(source, 2)
    assert (await a, await b) == (10, 20)
    assert source.flushes == [[1, 2]]


@on_loop
async def test_a_call_can_be_awaited_any_number_of_times(source):
    call = tenfold.asyncio(source, 1)
    assert [await call, await call, *await asyncio.gather(call, call)] == [10] * 4
    assert source.flushes == [[1]]


@pytest.mark.parametrize(
    "wait",
    [
        asyncio.create_task,
        asyncio.ensure_future,
        asyncio.shield,
        lambda call: asyncio.wait_for(call, 30),
        lambda call: asyncio.gather(call),
        lambda call: next(iter(asyncio.as_completed([call]))),
    ],
)
def test_asyncio_takes_calls_for_coroutines_and_futures(source, wait):
    async def main():
        return await wait(tenfold.asyncio(source, 1))

    assert run(main()) in (10, [10])


def test_a_call_can_be_made_from_another_thread(source):
    async def main():
        loop = asyncio.get_running_loop()

        def submit():
            return asyncio.run_coroutine_threadsafe(tenfold.asyncio(source, 1), loop).result(30)

        return await loop.run_in_executor(None, submit)

    assert run(main()) == 10


@on_loop
async def test_an_error_is_raised_in_each_await(source):
    call = yields.asyncio(5)
    for _ in range(2):
        with pytest.raises(TypeError, match="Cannot unwrap"):
            await call


@on_loop
async def test_functions_and_coroutines_share_a_batch(source):
    async def coroutine(key):
        await asyncio.sleep(0)
        return await tenfold.asyncio(source, key)

    values = await asyncio.gather(coroutine(1), tenfold.asyncio(source, 2), coroutine(3))
    assert values == [10, 20, 30]
    assert [sorted(keys) for keys in source.flushes] == [[1, 2, 3]]


@on_loop
async def test_calls_that_some_turns_separate_share_a_batch(source):
    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await tenfold.asyncio(source, turns)

    await asyncio.gather(*map(after, range(4)))
    assert [sorted(keys) for keys in source.flushes] == [list(range(4))]


@on_loop
async def test_a_batch_is_flushed_although_something_can_always_run(source):
    async def spin():
        while True:
            await asyncio.sleep(0)

    spinning = asyncio.ensure_future(spin())
    assert await tenfold.asyncio(source, 1) == 10
    spinning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await spinning


@on_loop
async def test_the_batch_of_highest_priority_is_flushed_first(source):
    log = []
    sources = [Source(priority) for priority in (1, 3, 2)]
    for one in sources:
        one.flushes = log
    await asyncio.gather(*[tenfold.asyncio(one, one.priority) for one in sources])
    assert log == [[3], [2], [1]]


@on_loop
async def test_hooks_are_called(source):
    log = []
    scheduler = get_scheduler()
    scheduler.on_before_batch_flush.subscribe(lambda batch: log.append(len(batch.items)))
    await tenfold.asyncio(source, 1)
    assert log == [1]


@on_loop
async def test_the_scheduler_of_a_loop_knows_its_active_task(source):
    @asynq.asynq()
    def fn():
        yield None
        return get_scheduler().active_task.fn

    assert await fn.asyncio() is fn.fn


@on_loop
async def test_a_chain_may_be_long(source):
    @asynq.asynq()
    def chain(length):
        return 1 + (yield chain.asynq(length - 1)) if length else 0

    assert await chain.asyncio(10_000) == 10_000


@on_loop
async def test_a_value_that_a_coroutine_sets_wakes_a_task(source):
    future = FutureBase()
    call = yields.asyncio(future)
    await asyncio.sleep(0)
    future.set_value(1)
    assert await call == 1


@on_loop
async def test_a_value_that_a_thread_sets_wakes_a_task(source):
    future = FutureBase()
    call = yields.asyncio(future)
    await asyncio.sleep(0)
    await asyncio.get_running_loop().run_in_executor(None, future.set_value, 1)
    assert await call == 1


def test_tasks_of_two_loops_are_apart(source):
    assert [run(tenfold.asyncio(source, key)) for key in (1, 2)] == [10, 20]
    assert source.flushes == [[1], [2]]


# Deadlocks


def waits_for_itself():
    @asynq.asynq()
    def waits():
        return (yield tasks[0])

    tasks = []
    tasks.append(waits.asynq())
    return tasks[0]


@on_loop
async def test_a_task_that_waits_for_itself_fails(source):
    with pytest.raises(AsyncTaskError, match=r"can't be awaited by what it has called|deadlock"):
        await yields.asyncio(waits_for_itself())


@on_loop
async def test_tasks_that_wait_for_each_other_fail(source):
    @asynq.asynq()
    def first():
        return (yield tasks[1])

    @asynq.asynq()
    def second():
        return (yield tasks[0])

    tasks = [first.asynq(), second.asynq()]
    with pytest.raises(AsyncTaskError, match="deadlock"):
        await yields.asyncio(tasks)


# Synchronous calls


@on_loop
async def test_a_task_may_call_synchronously(source):
    @asynq.asynq()
    def calls():
        return may_block(source, 1), (yield Item(source, 2))

    assert await calls.asyncio() == (10, 20)


@on_loop
async def test_a_coroutine_may_call_synchronously(source):
    waiting = tenfold.asyncio(source, 1)
    await asyncio.sleep(0)
    assert may_block(source, 2) == 20
    assert await waiting == 10


@on_loop
async def test_the_tasks_of_a_synchronous_call_load_without_the_loop(source):
    @asynq.loader
    async def tenfold_later(keys):
        return [10 * key for key in keys]

    @asynq.asynq()
    def one(key):
        return (yield tenfold_later.asynq(key))

    @asynq.asynq(allow_sync_call=True)
    def all_of(keys):
        yield None
        return (yield [one.asynq(key) for key in keys])

    assert await one.asyncio(1) == 10
    assert all_of([2, 3]) == [20, 30]


@on_loop
async def test_a_synchronous_call_that_needs_the_loop_is_an_error(source):
    @asynq.asynq()
    def naps():
        yield asyncio.sleep(0)

    @asynq.asynq()
    def calls():
        return naps()

    with pytest.raises(RuntimeError, match=r"write `await f\.asyncio\(\.\.\.\)`"):
        await calls.asyncio()


# Event loops that tell when nothing else can run


def run_on(loop, coroutine):
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 30))
    finally:
        loop.close()


@pytest.mark.parametrize("turns", [0, 7])
def test_a_loop_of_asynq_knows_when_it_is_idle(source, turns):
    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await tenfold.asyncio(source, turns)

    async def main():
        return await asyncio.gather(after(turns), after(0))

    assert run_on(asynq.aio.new_event_loop(), main()) == [10 * turns, 0]
    assert source.flushes == [sorted([turns, 0])]


def test_a_loop_of_asynq_flushes_although_something_can_always_run(source):
    async def main():
        async def spin():
            while True:
                await asyncio.sleep(0)

        spinning = asyncio.ensure_future(spin())
        value = await tenfold.asyncio(source, 1)
        spinning.cancel()
        return value

    assert run_on(asynq.aio.new_event_loop(), main()) == 10


def test_a_loop_that_counts_its_callbacks_is_asked_each_turn(source):
    class Counting:
        """A module with a loop class, as uvloop is."""

        class Loop(asyncio.SelectorEventLoop):
            pass

    loop = asynq.aio.new_event_loop(Counting)
    assert run_on(loop, tenfold.asyncio(source, 1)) == 10
