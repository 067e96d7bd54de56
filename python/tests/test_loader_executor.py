"""An executor of the user's own for blocking functions."""

import asyncio
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

import asynq
from asynq.loaders import Loader


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        yield executor


@pytest.fixture(params=["sync", "asyncio"])
def load(request):
    def load(loader, key):
        return loader(key) if request.param == "sync" else asyncio.run(loader.asyncio(key))

    return load


def thread_names(keys):
    return [threading.current_thread().name for _ in keys]


def test_a_blocking_function_runs_in_the_executor(executor, load):
    loader = Loader(thread_names, blocking=True, executor=executor)
    assert load(loader, 1).startswith("mine")


def test_limits_and_timeouts_hold(executor):
    running, most, lock = [], [0], threading.Lock()

    def function(keys):
        with lock:
            running.append(keys)
            most[0] = max(most[0], len(running))
        time.sleep(0.001)  # So that calls would overlap.
        with lock:
            running.remove(keys)
        return keys

    settings = {"max_batch_size": 1, "max_in_flight": 1, "timeout": 30}
    loader = Loader(function, blocking=True, executor=executor, **settings)
    assert loader.load_many(range(10)) == list(range(10))
    assert most == [1]


def test_an_executor_that_is_shut_down_is_an_error(load):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    loader = Loader(thread_names, blocking=True, executor=executor, name="rows")
    with pytest.raises(asynq.LoadError, match=r"loader rows, key 1: RuntimeError: .*shutdown"):
        load(loader, 1)


class Dropping(Executor):
    """It cancels each job, or fails to run it."""

    def __init__(self, error=None):
        self.error = error

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        if self.error is None:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self.error)
        return future


@pytest.mark.parametrize("error", [None, TypeError("cannot pickle it")])
def test_a_job_that_the_executor_drops_is_an_error(load, error):
    loader = Loader(thread_names, blocking=True, executor=Dropping(error))
    with pytest.raises(asynq.LoadError, match="CancelledError" if error is None else "pickle"):
        load(loader, 1)


def test_an_executor_needs_a_blocking_function(executor):
    with pytest.raises(ValueError, match="executor needs blocking=True"):
        Loader(list, executor=executor)


def test_an_executor_must_be_one():
    with pytest.raises(TypeError, match=r"executor must be an executor .* got 7"):
        Loader(list, blocking=True, executor=7)
