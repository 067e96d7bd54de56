"""Tasks and batches that are computed, resolved or reset by hand, at any time."""

import pytest
from conftest import Source

import asynq
from asynq import Future, get_active_task
from asynq import asynq as async_function


@async_function()
def identity(value):
    yield None
    return value


@async_function()
def wait_for(future):
    return (yield future)


def test_computing_a_task_twice():
    task = identity.asynq(1)
    task.value()
    task._compute()
    assert task.value() == 1


def test_computing_a_running_task():
    @async_function()
    def main():
        with pytest.raises(asynq.scheduler.AsyncTaskError, match="is running"):
            get_active_task()._compute()
        yield None
        return 1

    assert main.asynq().value() == 1


def test_computing_a_batch_twice(source):
    item = source.item(1)
    batch = item.batch
    batch.flush()
    with pytest.raises(asynq.batching.BatchingError, match="already flushed"):
        batch._compute()
    assert item.is_computed()


def test_computing_a_batch_in_its_flush():
    def answer(item):
        with pytest.raises(asynq.batching.BatchingError, match="being flushed already"):
            item.batch._compute()
        item.set_value("answer")

    assert wait_for(Source(answer=answer).item(1)) == "answer"


def test_computing_a_lazy_future_twice():
    future = Future(lambda: 1)
    future.value()
    with pytest.raises(asynq.FutureIsAlreadyComputed):
        future._compute()


def test_a_running_task_that_is_told_that_it_is_computed():
    @async_function()
    def main():
        yield None
        with pytest.raises(ValueError, match="already executing"):
            get_active_task()._computed()
        yield None
        return 1

    assert main.asynq().value() in (1, None)


def test_a_running_task_whose_value_is_set():
    @async_function()
    def main():
        get_active_task().set_value(5)
        yield identity.asynq(1)
        return 1

    assert main.asynq().value() == 5


def test_a_synchronous_call_whose_value_is_set():
    @async_function()
    def main():
        get_active_task().set_value(5)
        yield identity.asynq(1)
        return 1

    assert main() == 5


def test_a_blocked_task_that_is_told_that_it_is_computed(source):
    blocked = wait_for.asynq(source.item(1))

    @async_function()
    def disturb():
        yield None
        blocked._computed()

    @async_function()
    def main():
        yield blocked, disturb.asynq()
        return "ended"

    assert main() == "ended"


def test_a_task_that_is_reset_while_it_runs():
    @async_function()
    def main():
        with pytest.raises(ValueError, match="already executing"):
            get_active_task().set_value(1)
        get_active_task().reset_unsafe()
        yield identity.asynq(1)

    with pytest.raises(asynq.scheduler.AsyncTaskError, match="neither a value nor an error"):
        main.asynq().value()
