"""`async for` over generators of the package, and `@async_generator()` on `async def` functions."""

import asyncio
import gc

import pytest

from asynq import (
    END_OF_GENERATOR,
    Value,
    async_generator,
    asynq,
    gather,
    list_of_generator,
    take_first,
)
from asynq.batching import DebugBatchItem


@asynq()
async def double(x):
    return await DebugBatchItem(result=2 * x)


@async_generator()
def by_yield(n):
    for x in range(n):
        yield Value((yield double.asynq(x)))
    yield double.asynq(0)


@async_generator()
async def by_await(n):
    """Doubles of the first n numbers."""
    for x in range(n):
        yield await double.asynq(x)
    await double.asynq(0)


@async_generator()
async def by_await_with_values(n):
    for x in range(n):
        yield Value(await double.asynq(x))


@async_generator()
async def echo():
    received = []
    while True:
        received.append((yield tuple(received)))


KINDS = pytest.mark.parametrize("make", [by_yield, by_await, by_await_with_values])


@KINDS
def test_async_for_takes_each_value(make):
    @asynq()
    async def fn():
        return [x async for x in make(3)], [x async for x in make(0)]

    assert fn() == ([0, 2, 4], [])


@KINDS
def test_the_functions_for_generators_take_them(make):
    assert list_of_generator(make(3)) == [0, 2, 4]
    generator = make(4)
    assert take_first(generator, 1) == [0]
    assert take_first(generator, 2) == [2, 4]
    assert take_first(generator, 2) == [6]
    assert take_first(generator, 1) == []


@KINDS
def test_generators_that_run_together_share_rounds(make, flushes):
    @asynq()
    async def collect():
        return [x async for x in make(2)]

    @asynq()
    async def fn():
        return await gather(collect.asynq(), collect.asynq())

    assert fn() == [[0, 2], [0, 2]]
    assert set(flushes) == {2}


def test_a_loop_of_futures_takes_a_native_one():
    @asynq()
    def fn():
        values = []
        for future in by_await(2):
            value = yield future
            if value is not END_OF_GENERATOR:
                values.append(value)
        return values

    assert fn() == [0, 2]


def test_a_native_one_can_be_taken_outside_of_tasks():
    assert [future.value() for future in by_await(2)] == [0, 2, END_OF_GENERATOR]


def test_a_value_can_be_sent():
    @asynq()
    async def fn():
        generator = echo()
        return [await generator.send.asynq(sent) for sent in (None, "a", "b")]

    assert fn() == [(), ("a",), ("a", "b")]


def test_the_function_keeps_its_attributes():
    assert by_await.__name__ == "by_await"
    assert by_await.__doc__ == "Doubles of the first n numbers."


def test_an_undecorated_async_generator_may_await_futures():
    async def plain(n):
        for x in range(n):
            yield await double.asynq(x)

    @asynq()
    async def fn():
        return [x async for x in plain(3)]

    assert fn() == [0, 2, 4]


@pytest.mark.parametrize("is_native", [False, True])
def test_an_error_of_the_generator_is_raised_in_the_loop(is_native):
    @async_generator()
    def by_yield():
        yield Value((yield double.asynq(1)))
        raise KeyError("x")

    @async_generator()
    async def by_await():
        yield await double.asynq(1)
        raise KeyError("x")

    @asynq()
    async def fn():
        async for x in (by_await if is_native else by_yield)():
            seen.append(x)

    seen = []
    with pytest.raises(KeyError):
        fn()
    assert seen == [2]


@pytest.mark.parametrize("is_native", [False, True])
def test_a_generator_can_be_closed(is_native):
    log = []

    @async_generator()
    def by_yield():
        try:
            yield Value(1)
        finally:
            log.append("closed")

    @async_generator()
    async def by_await():
        try:
            yield 1
        finally:
            log.append(await double.asynq(1))

    @asynq()
    async def fn():
        generator = (by_await if is_native else by_yield)()
        async for _ in generator:
            break
        await generator.aclose()
        return [x async for x in generator]

    assert fn() == []
    assert log == ([2] if is_native else ["closed"])


def test_a_native_one_that_is_dropped_is_closed():
    log = []

    @async_generator()
    async def generator():
        try:
            yield 1
        finally:
            log.append("closed")

    @asynq()
    async def fn():
        async for _ in generator():
            break

    fn()
    gc.collect()
    assert log == ["closed"]


@KINDS
def test_the_next_value_is_not_taken_before_the_last(make):
    @asynq()
    async def fn():
        generator = make(3)
        first = next(generator)
        with pytest.raises(RuntimeError, match="compute the previous task"):
            next(generator)
        return await first

    assert fn() == 0


def test_a_foreign_awaitable_in_a_native_one_needs_an_event_loop():
    @async_generator()
    async def generator():
        await asyncio.sleep(0)
        yield 1

    with pytest.raises(RuntimeError, match="no event loop"):
        list_of_generator(generator())
