"""Misuse of functions made from `async def`, and of what they await."""

import asyncio
import gc
import weakref

import pytest

import asynq as package
from asynq import (
    AsyncTask,
    AsyncTaskError,
    BatchItemBase,
    ErrorFuture,
    FutureBase,
    asynq,
    get_active_task,
)
from asynq.batching import DebugBatchItem


@asynq()
async def double(x):
    """Doubles a number."""
    return await DebugBatchItem(result=2 * x)


@asynq()
def double_by_yield(x):
    return (yield DebugBatchItem(result=2 * x))


class Foreign:
    """An awaitable of some event loop."""

    def __init__(self, yielded):
        self.yielded = yielded

    def __await__(self):
        return (yield self.yielded)


@pytest.mark.parametrize("yielded", [None, 5, "x", object()], ids=["None", "int", "str", "object"])
def test_a_foreign_awaitable_needs_an_event_loop(yielded):
    @asynq()
    async def fn():
        await Foreign(yielded)

    with pytest.raises(RuntimeError, match=r"fn\(\) awaits .* no event loop.*\.asyncio\(\.\.\.\)"):
        fn()
    with pytest.raises(RuntimeError, match="no event loop"):
        fn.asynq().value()


def test_a_foreign_awaitable_is_an_error_at_its_await():
    @asynq()
    async def fn():
        try:
            await asyncio.sleep(0)
        except RuntimeError:
            return await double.asynq(1)

    assert fn() == 2


def test_an_error_of_a_foreign_awaitable_names_its_class():
    @asynq()
    async def fn(loop):
        await loop.create_future()

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="awaits a Future of an event loop"):
            fn(loop)
    finally:
        loop.close()


def test_a_task_that_awaits_itself_is_a_deadlock():
    tasks = []

    @asynq()
    async def fn():
        await tasks[0]

    tasks.append(fn.asynq())
    with pytest.raises(AsyncTaskError, match="deadlock"):
        tasks[0].value()


def test_a_coroutine_can_run_once():
    async def coroutine():
        await double.asynq(1)
        return 1

    running = coroutine()
    tasks = [AsyncTask(running, coroutine, (), {}) for _ in range(2)]
    assert tasks[0].value() == 1
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        tasks[1].value()


def test_a_coroutine_that_runs_cannot_be_awaited():
    @asynq()
    async def fn():
        await get_active_task()._generator

    with pytest.raises((RuntimeError, ValueError), match=r"already|being awaited"):
        fn()


def test_a_coroutine_may_catch_every_error_and_go_on():
    @asynq()
    async def fn():
        for _ in range(3):
            try:
                await ErrorFuture(GeneratorExit())
            except BaseException:
                pass
        return await double.asynq(1)

    assert fn() == 2


def test_a_coroutine_that_is_left_behind_is_closed():
    log = []

    @asynq()
    async def waits():
        try:
            await FutureBase()
        finally:
            log.append("closed")

    @asynq()
    async def fails():
        raise KeyError("x")

    @asynq()
    async def fn():
        await package.gather(waits.asynq(), fails.asynq())

    with pytest.raises((KeyError, AsyncTaskError)):
        fn()
    gc.collect()
    assert log == ["closed"]


def test_a_future_is_not_awaited_by_a_coroutine_outside():
    async def plain():
        return await double_by_yield.asynq(1)

    message = r"double_by_yield\.asynq\(\.\.\.\).*@asynq\(\).*await double_by_yield\.asyncio"
    with pytest.raises(RuntimeError, match=message):
        plain().send(None)


def test_an_item_is_not_awaited_by_a_coroutine_outside():
    async def plain():
        return await DebugBatchItem(result=1)

    with pytest.raises(RuntimeError, match="a DebugBatchItem is awaited by a coroutine that asynq"):
        plain().send(None)


def test_a_future_cannot_be_iterated_outside():
    with pytest.raises(TypeError, match="AsyncTask object is not iterable"):
        list(double_by_yield.asynq(1))


def test_a_future_cannot_be_iterated_or_unpacked_inside():
    @asynq()
    async def loops():
        for _ in double_by_yield.asynq(1):
            pass

    @asynq()
    async def unpacks():
        _a, _b = double_by_yield.asynq(1)

    for fn in (loops, unpacks):
        with pytest.raises(TypeError, match="cannot be iterated or unpacked: did you forget to"):
            fn()


def test_an_awaitable_may_be_resumed_by_hand():
    @asynq()
    async def fn():
        task = double.asynq(1)
        iterator = task.__await__()
        assert iterator.send(None) is task
        with pytest.raises(StopIteration) as ended:
            iterator.send(7)
        with pytest.raises(StopIteration):
            next(iterator)
        return ended.value.value, await task

    assert fn() == (7, 2)


def test_an_awaitable_that_is_resumed_by_hand_may_keep_its_end():
    @asynq()
    async def fn():
        kept = []
        for number in range(3):
            iterator = double.asynq(number).__await__()
            task = iterator.send(None)
            with pytest.raises(StopIteration) as ended:
                iterator.send(number)
            kept.append(ended.value)
            assert await task == 2 * number
        return [end.value for end in kept]

    assert fn() == [0, 1, 2]


def test_an_awaited_value_is_given_up():
    class Value:
        pass

    @asynq()
    async def give(value):
        return await DebugBatchItem(result=value)

    @asynq()
    async def fn():
        value = await give.asynq(Value())
        reference = weakref.ref(value)
        del value
        await give.asynq(None)
        return reference

    assert fn()() is None


def test_an_await_can_be_left_by_an_error_from_outside():
    async def plain():
        try:
            await double.asynq(1)
        except KeyError:
            return await double.asynq(2)

    @asynq()
    async def fn():
        coroutine = plain()
        first = coroutine.send(None)
        second = coroutine.throw(KeyError("x"))
        with pytest.raises(StopIteration) as ended:
            coroutine.send(await second)
        return await first, ended.value.value

    assert fn() == (2, 4)


def test_items_of_users_can_be_awaited(source):
    class Named(BatchItemBase):
        def __init__(self):
            super().__init__(source.open)
            self.key = 4

    @asynq()
    async def fn():
        return await Named()

    assert fn() == 8
