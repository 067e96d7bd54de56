"""asyncio mode: the values that a function can yield, and its errors."""

import asyncio

import pytest

from asynq import (
    ConstFuture,
    ErrorFuture,
    Future,
    asynq,
    is_asyncio_mode,
)
from asynq.asynq_to_async import resolve_awaitables
from asynq.batching import DebugBatchItem


@asynq()
def double(x):
    return 2 * x


@asynq()
def yields(x):
    return (yield x)


# Values that can be yielded


def test_awaitables_in_nested_collections_are_awaited():
    asked = {"a": [double.asyncio(1), (double.asyncio(2), None)], "b": ()}
    assert asyncio.run(yields.asyncio(asked)) == {"a": [2, (4, None)], "b": ()}


@pytest.mark.parametrize("empty", [None, [], (), {}])
def test_nothing_is_given_back_as_it_is(empty):
    assert asyncio.run(yields.asyncio(empty)) == empty


def test_asyncio_futures_can_be_yielded():
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        return await yields.asyncio([future, asyncio.sleep(0, 2)])

    assert asyncio.run(main()) == [1, 2]


def test_known_values_can_be_yielded():
    assert asyncio.run(yields.asyncio(ConstFuture(1))) == 1


def test_lazy_futures_can_be_yielded():
    assert asyncio.run(yields.asyncio(Future(lambda: 1))) == 1


def test_known_errors_can_be_yielded():
    with pytest.raises(KeyError, match="x"):
        asyncio.run(yields.asyncio(ErrorFuture(KeyError("x"))))


def test_a_value_may_be_an_exception():
    error = KeyError("x")
    assert asyncio.run(yields.asyncio([ConstFuture(error)])) == [error]


def test_batch_items_can_be_yielded():
    assert asyncio.run(yields.asyncio([DebugBatchItem(result=1), None])) == [1, None]


@pytest.mark.parametrize("x", [5, "five", {1, 2}, object()])
def test_what_cannot_be_awaited_is_a_type_error(x):
    with pytest.raises(TypeError, match="Cannot unwrap an object of type"):
        asyncio.run(yields.asyncio(x))


def test_a_task_made_outside_of_the_loop_can_be_yielded():
    assert asyncio.run(yields.asyncio(double.asynq(1))) == 2


def test_what_cannot_be_awaited_is_raised_where_it_was_yielded():
    @asynq()
    def fn():
        try:
            yield 5
        except TypeError:
            return "caught"

    assert asyncio.run(fn.asyncio()) == "caught"


def test_what_is_yielded_together_runs_concurrently():
    async def main():
        meeting = asyncio.Event()

        async def wait():
            await meeting.wait()
            return "waited"

        async def arrive():
            meeting.set()
            return "arrived"

        return await yields.asyncio([wait(), arrive()])

    assert asyncio.run(main()) == ["waited", "arrived"]


def test_resolve_awaitables_can_be_used_alone():
    assert asyncio.run(resolve_awaitables([double.asyncio(1)])) == [2]


# Errors


async def fail(error, steps=0):
    for _ in range(steps):
        await asyncio.sleep(0)
    raise error


def test_an_error_is_raised_where_it_was_yielded():
    @asynq()
    def fn():
        try:
            yield fail(KeyError("x"))
        except KeyError as error:
            return error.args

    assert asyncio.run(fn.asyncio()) == ("x",)


def test_the_first_error_in_the_order_given_is_raised():
    with pytest.raises(KeyError):
        asyncio.run(yields.asyncio([fail(KeyError("late"), steps=5), fail(ValueError("early"))]))


def test_the_others_run_to_their_end_if_one_fails():
    ended = []

    async def work(name, steps):
        for _ in range(steps):
            await asyncio.sleep(0)
        ended.append(name)

    @asynq()
    def fn():
        with pytest.raises(KeyError):
            yield [work("a", 1), fail(KeyError()), work("b", 5)]
        return list(ended)

    assert asyncio.run(fn.asyncio()) == ["a", "b"]


def test_the_traceback_of_an_error_shows_all_functions_it_went_through():
    @asynq()
    def inner():
        yield None
        raise KeyError

    @asynq()
    def outer():
        yield inner.asynq()

    with pytest.raises(KeyError) as caught:
        asyncio.run(outer.asyncio())
    names = [entry.name for entry in caught.traceback]
    assert [name for name in names if name in ("inner", "outer")] == ["outer", "inner"]


def test_a_cancelled_function_is_closed_in_asyncio_mode():
    log = []

    @asynq()
    def fn():
        try:
            yield asyncio.Event().wait()
        finally:
            log.append(is_asyncio_mode())

    async def main():
        task = asyncio.create_task(fn.asyncio())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), log

    assert asyncio.run(main()) == (True, [True])


def test_cancelling_cancels_what_is_awaited_together():
    cancelled = []

    async def wait(name):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    async def main():
        task = asyncio.create_task(yields.asyncio([wait("a"), wait("b")]))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return cancelled

    assert asyncio.run(main()) == ["a", "b"]
