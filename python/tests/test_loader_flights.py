"""Requests in flight: on threads and event loops, concurrent, in the context of their caller."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

import asynq
from asynq import AsyncScopedValue, LoadError, get_active_task
from asynq.loaders import Loader

SECONDS = 30  # After which a test that waits in vain fails.


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


@asynq.asynq()
def one_of_each(loaders):
    return (yield [loader.asynq(1) for loader in loaders])


class Meeting:
    """A function that returns once a given number of its calls run at the same time."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count)

    def __call__(self, keys):
        self.barrier.wait(SECONDS)
        return keys

    async def coroutine(self, keys):
        await asyncio.get_running_loop().run_in_executor(None, self, keys)
        return keys


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_flushes_of_one_round_overlap(kind):
    meet = Meeting(5)
    if kind == "blocking":
        loaders = [Loader(meet, blocking=True) for _ in range(5)]
    else:
        loaders = [Loader(meet.coroutine) for _ in range(5)]
    assert one_of_each(loaders) == [1] * 5


def test_the_parts_of_a_large_batch_overlap():
    loader = Loader(Meeting(3), blocking=True, max_batch_size=2)
    assert each(loader, range(6)) == list(range(6))


def test_a_flush_in_flight_overlaps_with_one_that_holds_the_thread():
    meet = Meeting(2)
    assert one_of_each([Loader(meet, blocking=True), Loader(meet)]) == [1, 1]


def test_tasks_go_on_while_a_flush_is_in_flight():
    done = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert done.wait(SECONDS)
        return keys

    quick = Loader(lambda keys: keys)

    @asynq.asynq()
    def steps():
        for key in range(3):
            yield quick.asynq(key)
        done.set()

    @asynq.asynq()
    def both():
        yield slow.asynq(1), steps.asynq()
        return quick.stats.batches

    assert both() == 3


def test_a_key_in_flight_is_not_asked_for_again():
    batches = []
    goes_on = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        batches.append(keys)
        assert goes_on.wait(SECONDS)
        return keys

    quick = Loader(lambda keys: keys)

    @asynq.asynq()
    def later():
        yield quick.asynq(1)
        load = slow.asynq(7)
        goes_on.set()
        return (yield load)

    @asynq.asynq()
    def both():
        return (yield slow.asynq(7), later.asynq())

    assert both() == (7, 7)
    assert batches == [[7]]


def test_what_comes_back_is_delivered_on_the_thread_of_the_scheduler():
    here = threading.get_ident()
    threads = []
    loader = Loader(
        lambda keys: threads.append(threading.get_ident()) or keys,
        blocking=True,
        after_flush=lambda flushed: threads.append(threading.get_ident()),
    )
    load = loader.asynq(1)
    load.on_computed.subscribe(lambda load: threads.append(threading.get_ident()))
    assert load.value() == 1
    assert threads[0] != here
    assert threads[1:] == [here, here]


def test_a_coroutine_that_a_plain_function_returns_is_run():
    async def function(keys):
        return keys

    assert Loader(lambda keys: function(keys))(1) == 1


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_an_error_in_flight_is_that_of_each_key(kind):
    def blocking(keys):
        raise ValueError("no store")

    async def coroutine(keys):
        raise ValueError("no store")

    if kind == "blocking":
        loader = Loader(blocking, blocking=True, name="user")
    else:
        loader = Loader(coroutine, name="user")
    with pytest.raises(LoadError, match="loader user, key 1: ValueError: no store"):
        loader(1)


def test_a_synchronous_call_in_a_flush_may_wait_for_a_flight():
    outside = Loader(lambda keys: keys, blocking=True)
    around = Loader(lambda keys: [outside(key) for key in keys])
    assert each(around, [1, 2]) == [1, 2]


def test_a_blocking_function_may_call_async_functions():
    inner = Loader(lambda keys: [-key for key in keys])
    outer = Loader(lambda keys: each(inner, keys), blocking=True)
    assert each(outer, [1, 2]) == [-1, -2]


def test_two_threads_may_use_one_loader():
    loader = Loader(lambda keys: [-key for key in keys], blocking=True)
    results = {}

    def work(number):
        keys = range(100 * number, 100 * number + 50)
        results[number] = each(loader, keys) == [-key for key in keys]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert results == dict.fromkeys(range(8), True)


# The context of user code


def test_context_variables_are_those_of_the_caller():
    variable = contextvars.ContextVar("variable", default="nobody")

    async def coroutine(keys):
        return [variable.get() for _ in keys]

    token = variable.set("caller")
    try:
        blocking = Loader(lambda keys: [variable.get() for _ in keys], blocking=True)
        assert (blocking(1), Loader(coroutine)(1)) == ("caller", "caller")
    finally:
        variable.reset(token)


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_the_asynq_stack_is_that_of_the_round(kind):
    async def coroutine(keys):
        await asyncio.sleep(0)
        return [get_active_task() for _ in keys]

    if kind == "blocking":
        loader = Loader(lambda keys: [get_active_task() for _ in keys], blocking=True)
    else:
        loader = Loader(coroutine)

    @asynq.asynq()
    def caller():
        # A round of its own, inside of the running task.
        return loader(1), get_active_task()

    seen, me = caller()
    assert seen is me
    assert loader(1) is None


def test_scoped_values_are_those_of_the_round_whatever_runs_meanwhile():
    value = AsyncScopedValue("outside")
    switched, read = threading.Event(), threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert switched.wait(SECONDS)
        seen = value.get()
        read.set()
        return dict.fromkeys(keys, seen)

    @asynq.loader
    def quick(keys):
        return keys

    @asynq.asynq()
    def meanwhile():
        yield quick.asynq(1)
        with value.override("meanwhile"):
            switched.set()
            assert read.wait(SECONDS)
            return value.get()

    @asynq.asynq()
    def both():
        return (yield slow.asynq(1), meanwhile.asynq())

    assert both() == ("outside", "meanwhile")
