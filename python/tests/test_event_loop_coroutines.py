"""Coroutines of asynq on an event loop: they may use everything of asyncio."""

import asyncio

import anyio
import pytest
from event_loop_source import Item, on_loop, tenfold

import asynq


def coroutine(fn):
    return asynq.asynq()(fn)


@on_loop
async def test_a_coroutine_has_a_current_task(source):
    @coroutine
    async def fn():
        before = asyncio.current_task()
        await asyncio.sleep(0)
        await Item(source, 1)
        return before is asyncio.current_task() is not None

    assert await fn.asyncio()


@on_loop
async def test_a_coroutine_may_await_anything_of_asyncio(source):
    @coroutine
    async def fn():
        await asyncio.sleep(0)
        a = await asyncio.ensure_future(asyncio.sleep(0, 1))
        b = await tenfold.asyncio(source, 1)
        return a, b, await asyncio.gather(tenfold.asyncio(source, 2), asyncio.sleep(0, 3))

    assert await fn.asyncio() == (1, 10, [20, 3])


@on_loop
async def test_a_cancel_scope_of_anyio_works_in_a_coroutine(source):
    @coroutine
    async def naps():
        await anyio.sleep(30)

    @coroutine
    async def fn():
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(30)
        with anyio.move_on_after(0.001) as other:
            await naps.asynq()
        return scope.cancelled_caught, other.cancelled_caught, await Item(source, 1)

    assert await fn.asyncio() == (True, True, 10)


if hasattr(asyncio, "timeout"):  # Since Python 3.11.

    @on_loop
    async def test_asyncio_timeout_works_in_a_coroutine(source):
        @coroutine
        async def fn():
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                return await Item(source, 1)

        assert await fn.asyncio() == 10

    @on_loop
    async def test_a_task_group_works_in_a_coroutine(source):
        @coroutine
        async def fn():
            async with asyncio.TaskGroup() as group:
                first = group.create_task(tenfold.asyncio(source, 1))
                second = group.create_task(tenfold.asyncio(source, 2))
            return first.result(), second.result()

        assert await fn.asyncio() == (10, 20)
        assert source.flushes == [[1, 2]]

    @on_loop
    async def test_an_error_in_a_task_group_cancels_the_coroutine(source):
        async def fails():
            raise KeyError

        @coroutine
        async def fn():
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.Event().wait()

        with pytest.raises(BaseExceptionGroup):  # noqa: F821
            await fn.asyncio()
