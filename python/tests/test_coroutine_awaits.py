"""What functions made from `async def` can await, and errors that pass through awaits."""

import traceback
import types

import pytest

import asynq as package
from asynq import (
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    asynq,
    debug,
    result,
)
from asynq.batching import DebugBatchItem


@asynq()
async def double(x):
    """Doubles a number."""
    return await DebugBatchItem(result=2 * x)


@asynq()
def double_by_yield(x):
    return (yield DebugBatchItem(result=2 * x))


# What can be awaited


def test_futures_of_each_kind_can_be_awaited():
    class Computed(FutureBase):
        def _compute(self):
            self.set_value(5)

    @asynq()
    async def fn():
        return [
            await double.asynq(1),
            await double_by_yield.asynq(1),
            await DebugBatchItem(result=3),
            await ConstFuture(4),
            await Computed(),
            await Future(lambda: 6),
        ]

    assert fn() == [2, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("value", [None, 0, (), (1, 2), [], {}, StopIteration(1), KeyError("x")])
def test_every_value_arrives(value):
    @asynq()
    async def fn():
        return await DebugBatchItem(result=value), await ConstFuture(value)

    assert [got is value for got in fn()] == [True, True]


def test_a_future_can_be_awaited_again():
    @asynq()
    async def fn():
        task = double.asynq(1)
        return await task, await task

    assert fn() == (2, 2)


def test_coroutines_await_coroutines_of_their_own():
    async def plain(x):
        return await double.asynq(x) + await double_by_yield.asynq(x)

    @asynq()
    async def fn(x):
        return await plain(x)

    assert fn(1) == 4


def test_a_class_may_await_in_its_own_way():
    class Twice:
        def __await__(self):
            first = yield double.asynq(1)
            second = yield from double.asynq(first).__await__()
            return first, second

    @asynq()
    async def fn():
        return await Twice()

    assert fn() == (2, 4)


def test_a_generator_based_coroutine_may_yield_structures():
    @types.coroutine
    def wait(futures):
        return (yield futures)

    @asynq()
    async def fn():
        return await wait([double.asynq(1), (double.asynq(2),), {"a": double.asynq(3)}])

    assert fn() == [2, (4,), {"a": 6}]


def test_generators_and_coroutines_call_each_other():
    @asynq()
    async def by_await(n):
        return 0 if n == 0 else 1 + await by_yield.asynq(n - 1)

    @asynq()
    def by_yield(n):
        return 0 if n == 0 else 1 + (yield by_await.asynq(n - 1))

    assert by_await(9) == by_yield(9) == 9


def test_a_generator_waits_by_yield_from_too():
    @asynq()
    def fn():
        one = yield from double.asynq(1)
        nothing = yield from DebugBatchItem(result=None)
        both = yield from package.gather(double.asynq(2), double_by_yield.asynq(3))
        return one, nothing, both

    assert fn() == (2, None, [4, 6])


def test_an_error_is_raised_at_yield_from():
    @asynq()
    def fn():
        try:
            yield from ErrorFuture(KeyError("x"))
        except KeyError as error:
            return error.args

    assert fn() == ("x",)


# Errors


def test_an_error_of_a_task_is_raised_at_its_await():
    @asynq()
    async def fails():
        await double.asynq(1)
        raise KeyError("x")

    @asynq()
    async def fn():
        try:
            await fails.asynq()
        except KeyError as error:
            return error.args

    assert fn() == ("x",)


def test_an_error_that_is_not_caught_is_that_of_the_call():
    @asynq()
    async def fails():
        raise KeyError("x")

    @asynq()
    async def fn():
        await fails.asynq()

    with pytest.raises(KeyError):
        fn()
    assert isinstance(fn.asynq().error(), KeyError)


def functions_of(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_the_traceback_has_the_frames_of_all_who_await():
    async def helper():
        raise KeyError("x")

    @asynq()
    async def inner():
        await double.asynq(1)
        await helper()

    @asynq()
    async def outer():
        await inner.asynq()

    with pytest.raises(KeyError) as caught:
        outer()
    assert functions_of(caught.value)[1:] == ["outer", "inner", "helper"]


def test_the_asynq_stack_names_the_lines_of_coroutines():
    @asynq()
    async def inner():
        await double.asynq(1)
        return debug.format_asynq_stack()

    @asynq()
    async def outer():
        return await inner.asynq()

    lines = [entry.splitlines()[-1].strip() for entry in outer()]
    assert lines == ["return await inner.asynq()", "return debug.format_asynq_stack()"]


def test_result_ends_a_coroutine_function():
    @asynq()
    async def fn():
        await double.asynq(1)
        result(3)

    assert fn() == 3


def test_a_finally_block_may_await():
    log = []

    @asynq()
    async def fn():
        try:
            await ErrorFuture(KeyError("x"))
        finally:
            log.append(await double.asynq(1))

    with pytest.raises(KeyError):
        fn()
    assert log == [2]
