"""Contexts and tools in functions made from `async def`."""

import asyncio

import pytest

import asynq as package
from asynq import (
    AsyncContext,
    AsyncScopedValue,
    NonAsyncContext,
    async_call,
    async_override,
    asynq,
    mock,
)
from asynq.batching import DebugBatchItem
from asynq.tools import (
    AsyncTimer,
    acached_per_instance,
    afilter,
    alazy_constant,
    alru_cache,
    amap,
    amax,
    aretry,
    asorted,
    call_with_context,
    deduplicate,
)


@asynq()
async def double(x):
    """Doubles a number."""
    return await DebugBatchItem(result=2 * x)


@asynq()
def double_by_yield(x):
    return (yield DebugBatchItem(result=2 * x))


@asynq()
async def quadruple(x):
    return await double.asynq(await double.asynq(x))


# Contexts


def test_a_context_is_active_while_its_coroutine_or_what_that_awaits_runs(source, context, log):
    @asynq()
    async def under(name):
        with context(name):
            await source.item(name)
            log.append(f"in {name}")

    @asynq()
    async def fn():
        await package.gather(under.asynq("a"), under.asynq("b"))

    fn()
    assert log == [
        "+a",
        "-a",
        "+b",
        "-b",
        ("source", ["a", "b"]),
        "+a",
        "in a",
        "-a",
        "+b",
        "in b",
        "-b",
    ]


def test_async_with_enters_a_context_as_with_does(source, context, log):
    @asynq()
    async def by_with():
        with context("a") as entered:
            await source.item(1)
            return type(entered)

    @asynq()
    async def by_async_with():
        async with context("a") as entered:
            await source.item(1)
            return type(entered)

    kind = by_with()
    expected = list(log)
    log.clear()
    assert by_async_with() is kind
    assert log == expected


def test_async_with_leaves_a_context_by_an_error(context, log):
    @asynq()
    async def fn():
        async with context("a"):
            await double.asynq(1)
            raise KeyError("x")

    with pytest.raises(KeyError):
        fn()
    assert log[-1] == "-a"


def test_async_with_may_swallow_an_error():
    class Swallow(AsyncContext):
        def resume(self):
            pass

        pause = resume

        def __exit__(self, ty, value, tb):
            super().__exit__(ty, value, tb)
            return True

    @asynq()
    async def fn():
        async with Swallow():
            raise KeyError("x")
        return 1

    assert fn() == 1


def test_async_with_takes_each_context_of_the_package():
    value = AsyncScopedValue(0)

    class Target:
        attribute = 0

    @asynq()
    async def fn():
        async with value.override(1), async_override(Target, "attribute", 2), AsyncTimer() as timer:
            seen = await amap.asynq(see, [1])
        async with NonAsync():
            pass
        return seen, timer.total_time >= 0

    class NonAsync(NonAsyncContext):
        pass

    @asynq()
    async def see(x):
        await double.asynq(x)
        return value.get(), Target.attribute

    assert fn() == ([(1, 2)], True)
    assert (value.get(), Target.attribute) == (0, 0)


def test_a_context_that_forbids_waiting_forbids_to_await():
    @asynq()
    async def fn():
        async with NonAsyncContext():
            await double.asynq(1)

    with pytest.raises(AssertionError):
        fn()


# Tools


@asynq()
async def is_odd(x):
    return (await double.asynq(x)) % 4 == 2


def test_the_tools_take_coroutine_functions():
    assert amap(double, [1, 2]) == [2, 4]
    assert afilter(is_odd, [1, 2, 3]) == [1, 3]
    assert asorted([3, 1, 2], key=double) == [1, 2, 3]
    assert amax([3, 1, 2], key=double) == 3
    assert call_with_context(AsyncTimer(), double, 1) == 2
    assert async_call(double, 1) == 2


def test_equal_calls_share_a_task():
    calls = []

    @deduplicate()
    @asynq()
    async def fn(x):
        calls.append(x)
        return await double.asynq(x)

    @asynq()
    async def both():
        return await package.gather(fn.asynq(1), fn.asynq(1))

    assert both() == [2, 2]
    assert calls == [1]


@pytest.mark.parametrize("cache", [alru_cache(), alazy_constant()], ids=["lru", "constant"])
def test_a_cached_coroutine_function_runs_once(cache):
    calls = []

    @cache
    @asynq()
    async def fn():
        calls.append(1)
        return await double.asynq(1)

    assert [fn(), fn()] == [2, 2]
    assert calls == [1]


def test_a_cached_coroutine_method_runs_once_per_object():
    class Account:
        calls = 0

        @acached_per_instance()
        @asynq()
        async def balance(self):
            self.calls += 1
            return await double.asynq(1)

    account = Account()
    assert [account.balance(), account.balance(), account.calls] == [2, 2, 1]


def test_a_coroutine_function_is_retried():
    calls = []

    @aretry(KeyError, max_tries=3, sleep=0)
    @asynq()
    async def fn():
        calls.append(1)
        await double.asynq(1)
        if len(calls) < 3:
            raise KeyError("x")
        return len(calls)

    assert fn() == 3


def test_mock_replaces_a_coroutine_function():
    with mock.patch(f"{__name__}.double") as replaced:
        replaced.return_value = 5
        assert quadruple(1) == 5
        assert double(1) == 5
        assert asyncio.run(double.asyncio(1)) == 5


def test_mock_replaces_by_a_coroutine_function():
    async def fake(x):
        return x + await double_by_yield.asynq(x)

    with mock.patch(f"{__name__}.double", fake):
        assert double(1) == 3
        assert quadruple(1) == 9
