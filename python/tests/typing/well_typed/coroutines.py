"""Both styles of async functions: coroutine functions, and generators with `yield from`."""
# pyright: strict

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

from typing_extensions import assert_type

from asynq import (
    AsyncScopedValue,
    AsyncTask,
    ConstFuture,
    FutureBase,
    Value,
    async_generator,
    async_proxy,
    asynq,
    gather,
)
from asynq.batching import DebugBatchItem
from asynq.tools import AsyncTimer, amap

scope: AsyncScopedValue[int] = AsyncScopedValue(0)


@asynq()
async def text(x: int) -> str:
    return str(x)


@async_proxy()
def proxy(x: int) -> FutureBase[str]:
    return text.asynq(x)


async def length(x: int) -> int:
    return len(await text.asynq(x))


@asynq()
async def by_await(x: int) -> list[str]:
    one = assert_type(await text.asynq(x), str)
    two = assert_type(await proxy.asynq(x), str)
    item: FutureBase[str] = DebugBatchItem(result="three")
    three = assert_type(await item, str)
    four = assert_type(await length(x), int)
    return [one, two, three, str(four)]


@asynq()
def by_yield(x: int) -> Generator[object, None, str]:
    one = assert_type((yield from text.asynq(x)), str)
    two, three = yield from gather(by_await.asynq(x), ConstFuture(3))
    assert_type(two, list[str])
    assert_type(three, int)
    return one + two[0]


@asynq()
def by_yield_of_tasks(x: int) -> Generator[FutureBase[object], None, str]:
    return (yield from text.asynq(x))


@asynq()
async def gathers() -> None:
    assert_type(await gather(text.asynq(1), length(2)), tuple[str, int])
    assert_type(await gather(*[text.asynq(x) for x in range(3)]), list[str])
    assert_type(await gather(gather(text.asynq(1))), tuple[tuple[str]])
    assert_type(await gather([text.asynq(1)], [text.asynq(2)]), list[list[str]])
    assert_type(await gather((text.asynq(1), text.asynq(2))), list[tuple[str, ...]])
    assert_type(await gather({"a": text.asynq(1)}), list[dict[str, str]])
    tasks = [text.asynq(1)]
    assert_type(await gather(tasks, tasks), list[list[str]])
    assert_type(await gather({1: tasks[0]}), list[dict[int, str]])
    either = await gather(text.asynq(1), return_exceptions=True)
    assert_type(either, tuple[str | BaseException])


@asynq()
async def contexts() -> str:
    async with scope.override(1), AsyncTimer() as timer:
        assert_type(timer, AsyncTimer)
        return await text.asynq(scope.get())


@async_generator()
async def texts(n: int) -> AsyncGenerator[str, None]:
    for x in range(n):
        yield await text.asynq(x)


@async_generator()
async def wrapped(n: int) -> AsyncGenerator[Value[str], None]:
    yield Value(await text.asynq(n))


@asynq()
async def loops() -> list[str]:
    async for one in wrapped(1):
        assert_type(one, str)
    return [assert_type(one, str) async for one in texts(3)]


class Service:
    @asynq()
    async def method(self, x: int) -> str:
        return await text.asynq(x)

    @asynq()
    @classmethod
    async def class_method(cls, x: int) -> str:
        return await text.asynq(x)

    @asynq()
    @staticmethod
    async def static_method(x: int) -> str:
        return await text.asynq(x)


@asynq(pure=True)
async def pure(x: int) -> str:
    return await text.asynq(x)


def negative(x: int) -> str:
    return str(-x)


@asynq(sync_fn=negative)
async def pair(x: int) -> str:
    return await text.asynq(x)


def each_form_of_a_call_has_the_type_of_the_value() -> None:
    assert_type(text(1), str)
    task = assert_type(text.asynq(1), AsyncTask[str])
    assert_type(task.value(), str)
    assert_type(asyncio.run(text.asyncio(1)), str)
    assert_type(by_yield.asynq(1), AsyncTask[str]).value()
    assert_type(by_yield_of_tasks(1), str)
    assert_type(pure(1), AsyncTask[str]).value()
    assert_type(pair(1), str)
    assert_type(amap(text, [1]), list[str])
    assert pure(1).value() == pair.asynq(1).value()


def methods_have_it_too() -> None:
    assert_type(Service().method(1), str)
    task = assert_type(Service().method.asynq(1), AsyncTask[str])
    assert task.value() == "1"
    assert_type(Service.class_method(1), str)
    assert_type(Service.static_method(1), str)


def these_functions_run() -> None:
    assert by_await(1) == ["1", "1", "three", "1"]
    assert by_yield(1) == "11"
    gathers()
    assert contexts() == "1"
    assert loops() == ["0", "1", "2"]
