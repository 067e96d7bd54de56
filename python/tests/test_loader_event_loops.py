"""Loaders whose functions are coroutines: nothing that they do blocks an event loop for ever."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import in_new_process

import asynq
from asynq import LoadError


@asynq.loader
async def square(keys):
    return {key: key * key for key in keys}


@asynq.loader
async def square_by_a_synchronous_call(keys):
    return {key: square(key) for key in keys}


def in_coroutine(loader, key):
    async def call():
        return await loader.asyncio(key)

    return asyncio.run(call())


def synchronously(loader, key):
    return loader(key)


both_ways = pytest.mark.parametrize("call", [synchronously, in_coroutine])


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
@both_ways
def test_a_coroutine_may_call_another_loader_synchronously(call):
    assert call(square_by_a_synchronous_call, 3) == 9


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
@both_ways
def test_a_loader_answers_after_a_coroutine_has_called_another_one(call):
    call(square_by_a_synchronous_call, 3)
    assert call(square, 4) == 16


@in_new_process()
def test_coroutines_that_call_each_other_without_end_fail():
    @asynq.loader
    async def endless(keys):
        return {key: endless(key + 1) for key in keys}

    endless.allow_sync_call = True
    with pytest.raises(LoadError, match="synchronous calls of async def loaders are nested"):
        endless(0)
    assert square(3) == 9


@both_ways
@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit])
def test_an_error_that_ends_generators_fails_the_loads(error, blocking, call):
    @asynq.loader(blocking=blocking)
    def fails(keys):
        raise error("nothing there")

    with pytest.raises(LoadError, match="nothing there") as info:
        call(fails, 1)
    assert isinstance(info.value.__cause__, error)


# Python itself makes a RuntimeError of a StopIteration that leaves a coroutine.
@both_ways
@pytest.mark.parametrize("error", [StopAsyncIteration, GeneratorExit])
def test_an_error_that_ends_generators_fails_the_loads_of_a_coroutine(error, call):
    @asynq.loader
    async def fails(keys):
        raise error("nothing there")

    with pytest.raises(LoadError, match="nothing there") as info:
        call(fails, 1)
    assert isinstance(info.value.__cause__, error)


def loop_in_flight(loader):
    """Returns an event loop that has stopped while a request of `loader` is in flight."""

    async def begin():
        task = asyncio.ensure_future(loader.asyncio(1))
        while not loader._in_flight():
            await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # Of the task that never ends.
    loop.run_until_complete(begin())
    return loop


def close_in_flight(loader):
    """Closes an event loop while a request of `loader` is in flight. Returns a reference to it."""
    loop = loop_in_flight(loader)
    loop.close()
    return weakref.ref(loop)


@pytest.fixture
def limited():
    """A loader with one permit, whose request for key 1 never ends."""

    @asynq.loader(max_in_flight=1)
    async def limited(keys):
        if keys == [1]:
            await asyncio.get_running_loop().create_future()
        return {key: key for key in keys}

    return limited


def test_a_loop_that_is_closed_gives_its_permit_back(limited):
    close_in_flight(limited)
    assert in_coroutine(limited, 2) == 2


@both_ways
@pytest.mark.parametrize("blocking", [False, True])
def test_a_request_that_waits_gets_the_permit_of_a_loop_that_is_closed_meanwhile(
    limited, call, blocking
):
    # Of the same group, since no coroutine runs on the thread of a blocking function.
    group = asynq.loaders.Group(max_in_flight=1)
    holder = asynq.loader(group=group)(limited.fn)

    def identity(keys):
        return keys

    loader = asynq.loader(group=group, blocking=blocking)(identity if blocking else limited.fn)
    loop = loop_in_flight(holder)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(call, loader, 2)
        while not loader.group_limit._waiting:
            assert not answer.done()
        loop.close()
        assert answer.result(30) == 2


def test_a_loop_that_is_closed_is_freed(limited):
    loop = close_in_flight(limited)
    gc.collect()
    assert loop() is None
