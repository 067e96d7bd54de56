"""Batch functions that wait for other loads: limits on requests and on threads cannot hang them."""

from __future__ import annotations

import asyncio
import threading

import pytest

import asynq
from asynq import LoadError
from asynq.loaders import Loader, set_max_in_flight, set_max_threads
from asynq.loaders.thread_pool import thread_pool

SECONDS = 30  # After which a test that waits in vain fails.


def synchronously(loader, *keys):
    return loader.load_many(keys)


def in_coroutines(loader, *keys):
    async def load_all():
        loads = asyncio.gather(*[loader.asyncio(key) for key in keys])
        return await asyncio.wait_for(loads, SECONDS)

    return asyncio.run(load_all())


both_ways = pytest.mark.parametrize("load", [synchronously, in_coroutines])


def calling(load, **settings):
    """A loader whose function runs on a worker thread and calls `load(key)` for each key."""
    return Loader(lambda keys: [load(key) for key in keys], blocking=True, **settings)


def awaiting(load, **settings):
    """A loader whose function is a coroutine that awaits `load(key)` for each key, at once."""

    async def function(keys):
        return await asyncio.gather(*[load(key) for key in keys])

    return Loader(function, **settings)


def blocking_the_loop(load, **settings):
    """A loader whose function is a coroutine that calls `load(key)` for each key."""

    async def function(keys):
        return [load(key) for key in keys]

    return Loader(function, **settings)


def nested(kind, inner, **settings):
    """A loader whose function asks another one."""
    if kind is awaiting:
        return awaiting(lambda key: inner.asyncio(key), **settings)
    return kind(lambda key: inner(key), **settings)


kinds = pytest.mark.parametrize("kind", [calling, awaiting, blocking_the_loop])
inner_kinds = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async def"])


def tenfold(blocking, **settings):
    async def coroutine(keys):
        await asyncio.sleep(0)
        return [10 * key for key in keys]

    function = (lambda keys: [10 * key for key in keys]) if blocking else coroutine
    return Loader(function, blocking=blocking, **settings)


@pytest.fixture
def one_request():
    """One request of all loaders together at a time."""
    set_max_in_flight(1)
    yield
    set_max_in_flight(None)


@pytest.fixture
def one_thread(monkeypatch):
    """A new pool with one worker thread."""
    monkeypatch.setattr(thread_pool, "max_threads", thread_pool.max_threads)
    thread_pool._reset()
    set_max_threads(1)
    yield
    thread_pool._reset()


# Permits


@both_ways
@kinds
@inner_kinds
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_function_lends_its_permit_to_the_load_that_it_waits_for(
    one_request, kind, blocking, load
):
    outer = nested(kind, tenfold(blocking), max_batch_size=1)
    assert load(outer, 1, 2, 3) == [10, 20, 30]


@both_ways
@kinds
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_loader_with_one_permit_may_ask_itself_for_other_keys(kind, load):
    async def sum_of_predecessors(key):
        return key and key + await loader.asyncio(key - 1)

    def sum_by_calls(key):
        return key and key + loader(key - 1)

    function = sum_of_predecessors if kind is awaiting else sum_by_calls
    loader = kind(function, max_in_flight=1, max_batch_size=1)
    assert load(loader, 5, 3) == [15, 6]
    assert loader.limit._free == 1


@both_ways
def test_a_function_that_goes_on_after_a_wait_has_its_permit_again(load):
    running, most, lock = 0, 0, threading.Lock()
    inner = tenfold(False)

    def count(step):
        nonlocal running, most
        with lock:
            running += step
            most = max(most, running)

    def function(keys):
        count(1)
        count(-1)
        values = inner.load_many(keys)
        count(1)
        count(-1)
        return values

    outer = Loader(function, blocking=True, max_in_flight=1, max_batch_size=1)
    keys = range(20)
    assert load(outer, *keys) == [10 * key for key in keys]
    assert most == 1


def test_coroutines_of_one_function_share_its_permit():
    inner = tenfold(True, max_batch_size=1)
    outer = nested(awaiting, inner)
    outer.limit = inner.limit = Loader(list, blocking=True, max_in_flight=1).limit
    assert in_coroutines(outer, 1, 2, 3) == [10, 20, 30]
    assert outer.limit._free == 1


def test_a_function_that_is_cancelled_while_it_waits_leaves_no_permit():
    never = awaiting(lambda key: asyncio.get_running_loop().create_future())
    outer = awaiting(lambda key: never.asyncio(key), max_in_flight=1, timeout=0.01)
    for load in (in_coroutines, synchronously):
        with pytest.raises(asynq.LoadTimeoutError):
            load(outer, 1)
        assert outer.limit._free == 1


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_synchronous_call_ends_whose_event_loop_holds_all_permits():
    @asynq.loader(max_in_flight=1)
    async def loader(keys):
        if 1 in keys:
            await goes_on.wait()
        return keys

    async def main():
        nonlocal goes_on
        goes_on = asyncio.Event()
        first = asyncio.ensure_future(loader.asyncio(1))
        while loader.limit._free:
            await asyncio.sleep(0)
        second = loader(2)
        goes_on.set()
        return await first, second

    goes_on = None
    assert asyncio.run(main()) == (1, 2)
    assert loader.limit._free == 1


# Worker threads


@both_ways
def test_a_worker_thread_lends_its_place_to_what_it_waits_for(one_thread, load):
    innermost = tenfold(True)
    middle = nested(awaiting, innermost)
    outer = nested(calling, middle, max_batch_size=1)
    assert load(outer, 1, 2, 3) == [10, 20, 30]


@both_ways
def test_one_thread_and_one_permit_are_enough(one_thread, one_request, load):
    innermost = tenfold(True)
    middle = nested(awaiting, innermost)
    outer = nested(calling, middle, max_batch_size=1)
    assert load(outer, 1, 2, 3) == [10, 20, 30]


def test_a_job_that_somebody_else_has_submitted_runs_in_place_of_the_thread_that_waits(one_thread):
    """The batch of `innermost` belongs to a coroutine that has not been called by a loader."""
    innermost = tenfold(True)

    @asynq.loader
    async def on_the_loop_of_loaders(keys):
        started.set()
        return [await innermost.asyncio(key) for key in keys]

    @asynq.loader
    async def joins(keys):
        return [await innermost.asyncio(key) for key in keys]

    @asynq.loader(blocking=True)
    def outer(keys):
        thread = threading.Thread(target=on_the_loop_of_loaders, args=(7,))
        thread.start()
        assert started.wait(SECONDS)
        value = joins(7)
        thread.join(SECONDS)
        assert not thread.is_alive()
        return dict.fromkeys(keys, value)

    started = threading.Event()
    assert outer(1) == 70


def test_functions_that_wait_do_not_let_new_calls_start_more_threads(one_thread):
    used = set()
    slow = awaiting(lambda key: asyncio.sleep(0.001, key))

    @asynq.loader(blocking=True, max_batch_size=1)
    def outer(keys):
        used.add(threading.get_ident())
        return slow.load_many(keys)

    assert synchronously(outer, *range(20)) == list(range(20))
    assert len(used) == 1


@both_ways
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_blocked_event_loop_is_not_asked_for_the_answer(load):
    outer = nested(blocking_the_loop, nested(calling, tenfold(False)))
    assert load(outer, 1, 2, 3) == [10, 20, 30]


# A load that waits for itself


@both_ways
@kinds
@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_function_that_asks_for_its_own_key_fails(kind, limit, load):
    async def itself(key):
        return await loader.asyncio(key)

    loader = kind(
        itself if kind is awaiting else lambda key: loader(key), name="user", max_in_flight=limit
    )
    why = "RecursionError|the batch function asks for this key|RuntimeError: synchronous calls"
    with pytest.raises(LoadError, match=f"loader user, key 7: ({why})"):
        load(loader, 7)


@both_ways
@pytest.mark.filterwarnings("ignore:.*is called synchronously on a running event loop")
def test_a_plain_function_that_asks_for_its_own_key_fails(load):
    loader = Loader(lambda keys: [loader(key) for key in keys], name="user")
    with pytest.raises(LoadError, match="loader user, key 7: the batch function asks for this key"):
        load(loader, 7)


@both_ways
def test_an_async_function_that_asks_for_its_own_key_fails(load):
    @asynq.asynq()
    def function(keys):
        return (yield [loader.asynq(key) for key in keys])

    loader = Loader(function, name="user")
    with pytest.raises(LoadError, match=r"loader user, key 7: .*deadlock"):
        load(loader, 7)


def test_keys_that_wait_for_each_other_fail_on_an_event_loop():
    first = awaiting(lambda key: second.asyncio(key), name="first")
    second = awaiting(lambda key: first.asyncio(key), name="second")
    with pytest.raises(LoadError, match=r"loader first, key 7: .*\(deadlock\)"):
        in_coroutines(first, 7)


def test_parts_of_one_batch_may_wait_for_each_other():
    async def sum_of_predecessors(key):
        return key and key + await loader.asyncio(key - 1)

    loader = awaiting(sum_of_predecessors, max_batch_size=1)
    assert in_coroutines(loader, 3, 2, 1, 0) == [6, 3, 1, 0]
    assert loader.stats.batches == 4


def test_a_coroutine_that_outlives_its_function_may_ask_for_its_key():
    async def main():
        async def function(keys):
            async def later():
                await asyncio.sleep(0)
                while not tasks or not first.done():
                    await asyncio.sleep(0)
                return await loader.asyncio(1)

            if not tasks:
                tasks.append(asyncio.ensure_future(later()))
            return keys

        tasks = []
        loader = Loader(function)
        first = asyncio.ensure_future(loader.asyncio(1))
        return await first, await tasks[0]

    assert asyncio.run(main()) == (1, 1)


def test_functions_that_await_each_other_without_end_fail():
    endless = awaiting(lambda key: endless.asyncio(key + 1))
    with pytest.raises(LoadError, match="wait for each other"):
        in_coroutines(endless, 0)
