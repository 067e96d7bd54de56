"""asyncio mode: contexts and tools in it."""

import asyncio

import pytest

from asynq import (
    AsyncContext,
    AsyncScopedValue,
    asynq,
)
from asynq.batching import DebugBatchItem
from asynq.tools import (
    AsyncEventHook,
    AsyncTimer,
    acached_per_instance,
    alazy_constant,
    alru_cache,
    amap,
    aretry,
    call_with_context,
    deduplicate,
)


async def double_in_asyncio(x):
    await asyncio.sleep(0)
    return 2 * x


@asynq(asyncio_fn=double_in_asyncio)
def double_by_batch(x):
    return (yield DebugBatchItem(result=2 * x))


async def fail(error, steps=0):
    for _ in range(steps):
        await asyncio.sleep(0)
    raise error


# Contexts


class Switch(AsyncContext):
    def __init__(self):
        self.log = []

    def resume(self):
        self.log.append("resume")

    def pause(self):
        self.log.append("pause")


def test_a_context_is_paused_while_its_function_waits():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield asyncio.sleep(0)
            switch.log.append("waited")

    asyncio.run(fn.asyncio())
    assert switch.log == ["resume", "pause", "resume", "waited", "pause"]


def test_a_context_is_left_if_what_it_waits_for_fails():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield fail(KeyError())

    with pytest.raises(KeyError):
        asyncio.run(fn.asyncio())
    assert switch.log == ["resume", "pause", "resume", "pause"]


def test_a_context_is_left_if_its_function_is_cancelled():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield asyncio.Event().wait()

    async def main():
        task = asyncio.create_task(fn.asyncio())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    assert switch.log == ["resume", "pause", "resume", "pause"]


def test_a_scoped_value_can_be_overridden():
    value = AsyncScopedValue("a")

    @asynq()
    def fn():
        with value.override("b"):
            yield None
            return value.get()

    assert asyncio.run(fn.asyncio()) == "b"
    assert value.get() == "a"


# Tools


def test_amap_maps():
    assert asyncio.run(amap.asyncio(double_by_batch, [1, 2])) == [2, 4]


def test_caches_cache():
    calls = []

    class Source:
        @acached_per_instance()
        @asynq()
        def per_instance(self, x):
            calls.append("per_instance")
            return (yield double_by_batch.asynq(x))

        @alru_cache()
        @asynq()
        def lru(self, x):
            calls.append("lru")
            return (yield double_by_batch.asynq(x))

    @alazy_constant()
    @asynq()
    def constant():
        calls.append("constant")
        return (yield double_by_batch.asynq(3))

    @asynq()
    def fn():
        source = Source()
        values = yield source.per_instance.asynq(1), source.lru.asynq(2), constant.asynq()
        again = yield source.per_instance.asynq(1), source.lru.asynq(2), constant.asynq()
        return values, again

    assert asyncio.run(fn.asyncio()) == ((2, 4, 6), (2, 4, 6))
    assert sorted(calls) == ["constant", "lru", "per_instance"]


def test_aretry_retries_and_lets_the_loop_run_meanwhile():
    log = []

    @aretry(KeyError, sleep=0.001)
    @asynq()
    def fn():
        log.append("try")
        if len(log) == 1:
            raise KeyError
        return "done"

    async def other():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append("other")

    async def main():
        return (await asyncio.gather(fn.asyncio(), other()))[0]

    assert asyncio.run(main()) == "done"
    assert log == ["try", "other", "try"]


def test_deduplicated_functions_run():
    fn = deduplicate()(double_by_batch)
    assert asyncio.run(fn.asyncio(3)) == 6
    assert asyncio.run(call_with_context.asyncio(Switch(), fn, 3)) == 6


def test_an_async_timer_measures_its_function_alone():
    @asynq()
    def fn():
        with AsyncTimer() as timer:
            yield asyncio.sleep(0.05)
        return timer.total_time

    assert 0 <= asyncio.run(fn.asyncio()) < 50_000


def test_an_async_event_hook_awaits_its_handlers():
    seen = []

    @asynq()
    def handler(x):
        seen.append((yield double_by_batch.asynq(x)))

    hook = AsyncEventHook([handler, seen.append])
    asyncio.run(hook.trigger.asyncio(3))
    asyncio.run(hook.safe_trigger.asyncio(3))
    assert sorted(seen) == [3, 3, 6, 6]
