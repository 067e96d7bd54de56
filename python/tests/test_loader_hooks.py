"""Hooks and statistics of loaders count the calls of the function, and not what precedes them."""

import asyncio
import functools
import threading
import time

import pytest

import asynq
from asynq.loaders import Loader, set_max_in_flight

SECONDS = 0.05


def sleeping(keys):
    time.sleep(SECONDS)
    return keys


async def sleeping_coroutine(keys):
    await asyncio.sleep(SECONDS)
    return keys


@pytest.fixture(params=["blocking", "coroutine"])
def new_loader(request):
    if request.param == "blocking":
        return functools.partial(Loader, sleeping, blocking=True)
    return functools.partial(Loader, sleeping_coroutine)


@pytest.fixture(params=["sync", "asyncio"])
def load_many(request):
    def load_many(loader, keys):
        if request.param == "sync":
            return loader.load_many(keys)
        return asyncio.run(loader.load_many.asyncio(keys))

    return load_many


def test_calls_that_wait_for_each_other_have_times_that_do_not_overlap(new_loader, load_many):
    loader = new_loader(max_batch_size=1, max_in_flight=1)
    started = time.perf_counter()
    assert load_many(loader, [1, 2, 3]) == [1, 2, 3]
    assert loader.stats.time <= time.perf_counter() - started


def test_a_hook_is_called_when_the_call_before_has_ended(load_many):
    log = []

    def function(keys):
        log.append(("call", keys[0]))
        return keys

    loader = Loader(
        function,
        blocking=True,
        max_batch_size=1,
        max_in_flight=1,
        before_flush=lambda keys: log.append(("before", keys[0])),
    )
    load_many(loader, [1, 2, 3])
    assert log == [(what, key) for key in (1, 2, 3) for what in ("before", "call")]


def test_the_hook_before_a_blocking_function_is_called_in_its_thread():
    threads = []
    loader = Loader(
        lambda keys: threads.append(threading.current_thread()) or keys,
        blocking=True,
        before_flush=lambda keys: threads.append(threading.current_thread()),
    )
    loader(1)
    assert threads[0] is threads[1] is not threading.current_thread()


def test_a_hook_that_fails_fails_its_call(new_loader, load_many):
    calls = []

    def before(keys):
        calls.append(keys)
        raise ValueError("hook")

    with pytest.raises(asynq.LoadError, match="ValueError: hook"):
        load_many(new_loader(before_flush=before), [1])
    assert calls == [[1]]


def test_a_call_that_was_never_made_is_not_counted_and_calls_no_hooks():
    release, begun, ended = threading.Event(), [], []

    @asynq.loader(blocking=True)
    def holds_the_permit(keys):
        release.wait(30)
        return keys

    late = Loader(
        list,
        blocking=True,
        timeout=0.05,
        before_flush=begun.append,
        after_flush=lambda flushed: ended.append((flushed.keys, flushed.time)),
    )

    @asynq.asynq()
    def fails():
        try:
            yield late.asynq(2)
        except asynq.LoadTimeoutError:
            release.set()
            return "late"

    @asynq.asynq()
    def both():
        return (yield holds_the_permit.asynq(1), fails.asynq())

    set_max_in_flight(1)
    try:
        assert both() == (1, "late")
    finally:
        set_max_in_flight(None)
    assert (begun, ended) == ([], [])
    assert (late.stats.batches, late.stats.keys) == (0, 0)
