"""Deep chains of tasks, and infinite recursion."""

import sys
import threading

import pytest

from asynq import AsyncContext, ConstFuture, Future, asynq, debug


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@pytest.fixture
def still_works(new_source, monkeypatch):
    """Checks that the scheduler still works."""
    # Where no call is possible any more, errors of hooks cannot even be reported.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    yield
    assert look_up(new_source("afterwards"), 21) == 42


@pytest.fixture
def small_stack():
    """Runs a function in a thread with a native stack of 512 KiB."""

    def run(function, *args):
        values = []
        before = threading.stack_size(512 * 1024)
        try:
            thread = threading.Thread(target=lambda: values.append(function(*args)))
            thread.start()
        finally:
            threading.stack_size(before)
        thread.join()
        (value,) = values
        return value

    return run


@asynq()
def count_down(n):
    """A chain of `n` tasks, each of which awaits the next."""
    if n == 0:
        return 0
    return 1 + (yield count_down.asynq(n - 1))


# Depth is no problem for tasks.


def test_a_chain_of_a_hundred_thousand_tasks_runs_on_a_small_stack(small_stack):
    assert small_stack(count_down, 100_000) == 100_000


def test_an_error_at_the_end_of_a_long_chain_arrives(small_stack):
    @asynq()
    def level(n):
        if n == 0:
            raise KeyError("at the bottom")
        yield level.asynq(n - 1)

    def run():
        with pytest.raises(KeyError, match="at the bottom"):
            level(10_000)
        return "arrived"

    assert small_stack(run) == "arrived"


def test_an_item_at_the_end_of_a_long_chain_is_flushed(small_stack, source):
    @asynq()
    def level(n):
        return (yield source.item(21) if n == 0 else level.asynq(n - 1))

    assert small_stack(level, 100_000) == 42


def test_a_chain_made_from_its_end_runs_on_a_small_stack(small_stack):
    @asynq()
    def add_one(task):
        return 1 + (yield task)

    def run():
        task = ConstFuture(0)
        for _ in range(100_000):
            task = add_one.asynq(task)
        return task.value()

    assert small_stack(run) == 100_000


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_chain_that_never_ran_is_dropped_on_a_small_stack(small_stack):
    @asynq()
    def add_one(task):
        return 1 + (yield task)

    def run():
        task = ConstFuture(0)
        for _ in range(100_000):
            task = add_one.asynq(task)
        del task
        return "dropped"

    assert small_stack(run) == "dropped"


def test_a_long_chain_of_contexts_is_switched_on_a_small_stack(small_stack, source):
    class Counting(AsyncContext):
        active = 0

        def resume(self):
            Counting.active += 1

        def pause(self):
            Counting.active -= 1

    @asynq()
    def level(n):
        with Counting():
            if n == 0:
                yield source.item(1)
                return Counting.active
            return (yield level.asynq(n - 1))

    assert small_stack(level, 10_000) == 10_001
    assert Counting.active == 0


# Recursion without an end is an error.


@pytest.mark.usefixtures("still_works")
def test_endless_synchronous_calls_are_a_recursion_error():
    @asynq()
    def call():
        yield None
        return call()

    with pytest.raises(RecursionError):
        call()


@pytest.mark.usefixtures("still_works")
def test_endless_calls_of_plain_functions_are_a_recursion_error():
    @asynq()
    def call():
        return call()

    with pytest.raises(RecursionError):
        call()


@pytest.mark.usefixtures("still_works")
def test_endless_calls_through_value_are_a_recursion_error():
    @asynq()
    def call():
        yield None
        return call.asynq().value()

    with pytest.raises(RecursionError):
        call()


@pytest.mark.usefixtures("still_works")
def test_endless_calls_in_flushes_are_a_recursion_error(new_source):
    source = new_source("source")
    source.answer = lambda item: item.set_value(look_up(source, 1))
    with pytest.raises(RecursionError):
        look_up(source, 1)


@pytest.mark.usefixtures("still_works")
def test_endless_lazy_futures_are_a_recursion_error():
    def compute():
        return Future(compute).value()

    with pytest.raises(RecursionError):
        compute()


@pytest.mark.usefixtures("still_works")
def test_a_recursion_error_can_be_caught_by_the_task(source):
    def recurse():
        recurse()

    @asynq()
    def main():
        try:
            recurse()
        except RecursionError:
            return (yield source.item(21))

    assert main() == 42


@pytest.mark.usefixtures("still_works")
def test_a_recursion_error_in_a_flush_is_the_error_of_the_items(new_source):
    def recurse(item):
        recurse(item)

    with pytest.raises(RecursionError):
        look_up(new_source("source", answer=recurse), 1)


@pytest.mark.usefixtures("still_works")
def test_endless_awaiting_is_an_error(monkeypatch):
    monkeypatch.setattr(debug.options, "MAX_TASK_STACK_SIZE", 1000)

    @asynq()
    def call():
        yield call.asynq()

    with pytest.raises(RuntimeError, match="Number of scheduled tasks exceeded maximum threshold"):
        call()


@pytest.mark.parametrize("limit", [3, 4])
def test_as_many_tasks_may_wait_as_are_allowed(monkeypatch, source, limit):
    monkeypatch.setattr(debug.options, "MAX_TASK_STACK_SIZE", limit)

    @asynq()
    def main(count):
        return (yield [look_up.asynq(source, 1) for _ in range(count)])

    assert main(limit - 1) == [2] * (limit - 1)
    with pytest.raises(RuntimeError, match="exceeded maximum threshold"):
        main(limit)


@pytest.mark.usefixtures("still_works")
@pytest.mark.parametrize("kind", [list, dict])
def test_a_structure_that_contains_itself_is_an_error(kind):
    @asynq()
    def main():
        structure = kind()
        if kind is list:
            structure.append(structure)
        else:
            structure["itself"] = structure
        yield structure

    with pytest.raises(RecursionError):
        main()


def test_a_deeply_nested_structure_can_be_awaited():
    @asynq()
    def main():
        structure = ConstFuture(42)
        for _ in range(200):
            structure = [structure]
        value = yield structure
        for _ in range(200):
            (value,) = value
        return value

    assert main() == 42
