"""Faults of batch functions of each kind.

Nothing hangs, each load ends with a value or an error that names loader and key, and the next flush
works.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from faults import assert_named, cancel_in_flight, each, interrupt_while_waiting

import asynq
from asynq import Loader

BAD = 13  # The key that goes wrong.


def plain(function, **settings):
    return Loader(function, name="name", **settings)


def async_function(function, **settings):
    return Loader(asynq.asynq()(function), name="name", **settings)


def coroutine(function, **settings):
    async def load(keys):
        return function(keys)

    return Loader(load, name="name", **settings)


def blocking(function, **settings):
    return Loader(function, name="name", blocking=True, **settings)


@pytest.fixture(params=[plain, async_function, coroutine, blocking], ids=lambda make: make.__name__)
def make(request):
    return request.param


def assert_fails_by_name(loader, words):
    _, error = each(loader.asynq(1), loader.asynq(BAD))
    assert_named(error, BAD)
    assert words in str(error)


def assert_works(loader):
    """Asserts that the next load succeeds."""
    assert loader(1) == 1


def test_error_of_the_function(make):
    def fails(keys):
        if BAD in keys:
            raise BrokenPipeError("unlucky")
        return keys

    loader = make(fails)
    assert_fails_by_name(loader, "BrokenPipeError: unlucky")
    assert_works(loader)


def test_error_of_a_key(make):
    loader = make(lambda keys: [ValueError("unlucky") if key == BAD else key for key in keys])
    with pytest.raises(ValueError, match=r"^unlucky$"):
        loader(BAD)
    assert_works(loader)


def test_too_few_values(make):
    loader = make(lambda keys: [key for key in keys if key != BAD])
    assert_fails_by_name(loader, "2 keys")
    assert_works(loader)


def test_too_many_values(make):
    loader = make(lambda keys: [*keys, *(key for key in keys if key == BAD)])
    assert_fails_by_name(loader, "2 keys")
    assert_works(loader)


def test_no_values_at_all(make):
    loader = make(lambda keys: None if BAD in keys else keys)
    assert_fails_by_name(loader, "None")
    assert_works(loader)


def test_value_of_a_key_that_nobody_asked_for(make):
    loader = make(lambda keys: {key + 1 if key == BAD else key: key for key in keys})
    assert_fails_by_name(loader, "the batch function returned no value")
    assert_works(loader)


def test_interrupt_in_the_function(make):
    def interrupts(keys):
        if BAD in keys:
            raise KeyboardInterrupt
        return keys

    loader = make(interrupts)
    with pytest.raises(KeyboardInterrupt):
        loader(BAD)
    assert_works(loader)


@pytest.fixture(params=["coroutine", "blocking"])
def stuck(request):
    """Creates a loader whose batch with the bad key stays in flight until the test ends."""
    released = threading.Event()

    async def never_returns(keys):
        while BAD in keys and not released.is_set():
            await asyncio.sleep(0.01)
        return keys

    def blocks(keys):
        if BAD in keys:
            released.wait()
        return keys

    def stuck(**settings):
        if request.param == "coroutine":
            return Loader(never_returns, name="name", **settings)
        return Loader(blocks, name="name", blocking=True, **settings)

    yield stuck
    released.set()


def test_function_that_never_returns(stuck):
    # Long enough for what comes after it, also on a machine that is busy.
    loader = stuck(timeout=0.5)
    assert_fails_by_name(loader, "no answer within 0.5 s")
    assert_works(loader)


def test_caller_cancelled_in_flight(stuck):
    loader = stuck()
    cancel_in_flight(loader.asynq(BAD))
    assert_works(loader)


def test_caller_interrupted_in_flight(stuck):
    loader = stuck()
    interrupt_while_waiting(loader.asynq(BAD))
    assert_works(loader)


def test_coroutine_cancelled_in_flight(stuck):
    async def main():
        sent = asyncio.Event()
        loop = asyncio.get_running_loop()
        loader = stuck(before_flush=lambda keys: loop.call_soon_threadsafe(sent.set))
        waiting = asyncio.ensure_future(loader.asyncio(BAD))
        await sent.wait()
        waiting.cancel()
        return await loader.asyncio(1)

    assert asyncio.run(main()) == 1
