"""The limit on worker threads."""

import threading

import pytest

import asynq
from asynq import LoadError, LoadTimeoutError
from asynq.loaders import Loader, set_max_threads
from asynq.loaders.thread_pool import thread_pool

SECONDS = 30  # After which a test that waits in vain fails.


@pytest.fixture
def limit(monkeypatch):
    """Sets the limit on threads of a new pool for one test."""
    monkeypatch.setattr(thread_pool, "max_threads", thread_pool.max_threads)
    thread_pool._reset()
    yield set_max_threads
    thread_pool._reset()


@asynq.asynq()
def one_of_each(loaders):
    return (yield [loader.asynq(1) for loader in loaders])


def test_many_loaders_use_few_threads(limit):
    limit(3)
    running, most, lock = 0, 0, threading.Lock()

    def function(keys):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        used.add(threading.current_thread())
        with lock:
            running -= 1
        return keys

    used = set()
    assert one_of_each([Loader(function, blocking=True) for _ in range(100)]) == [1] * 100
    assert most <= 3
    assert len(used) <= 3


def test_as_many_functions_as_the_limit_run_at_the_same_time(limit):
    limit(3)
    together = threading.Barrier(3, timeout=SECONDS)

    def function(keys):
        together.wait()
        return keys

    assert one_of_each([Loader(function, blocking=True) for _ in range(9)]) == [1] * 9


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_functions_that_call_loaders_do_not_wait_for_each_other(limit, threads):
    limit(threads)

    @asynq.loader(blocking=True)
    def inner(keys):
        return [10 * key for key in keys]

    @asynq.loader(blocking=True, max_batch_size=1)
    def outer(keys):
        return [sum(inner.load_many([key, key + 1])) for key in keys]

    assert outer.load_many(list(range(20))) == [20 * key + 10 for key in range(20)]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_loader_that_calls_itself_for_ever_fails(limit, threads):
    limit(threads)

    @asynq.loader(blocking=True)
    def endless(keys):
        used.add(threading.current_thread())
        return [endless(key + 1) for key in keys]

    used = set()
    with pytest.raises(LoadError, match="RecursionError"):
        endless(0)
    assert len(used) <= threads


def test_a_loader_that_calls_itself_some_times_gets_its_value(limit):
    limit(1)

    @asynq.loader(blocking=True)
    def factorial(keys):
        return [key * factorial(key - 1) if key else 1 for key in keys]

    assert factorial(8) == 40320


def test_a_function_that_has_timed_out_keeps_its_thread(limit):
    limit(1)
    begins, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=True, timeout=0.01)
    def slow(keys):
        begins.set()
        goes_on.wait(SECONDS)
        return keys

    called = []

    @asynq.loader(blocking=True, timeout=0.01)
    def waits(keys):
        called.append(keys)
        return keys

    while not begins.is_set():  # The time may be over before the thread has started.
        with pytest.raises(LoadTimeoutError):
            slow(1)
    with pytest.raises(LoadTimeoutError):
        waits(1)
    goes_on.set()

    @asynq.loader(blocking=True)
    def next_one(keys):
        return keys

    assert next_one(1) == 1
    assert called == []  # Nobody waits for it any more.


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (1.5, TypeError), (None, TypeError)])
def test_a_limit_is_at_least_one(count, error):
    with pytest.raises(error, match="max_threads"):
        set_max_threads(count)
