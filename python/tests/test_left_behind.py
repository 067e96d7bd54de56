"""Tasks that a call leaves unfinished, and their fate in later calls."""

import gc
import weakref

import pytest
from conftest import Source
from threads import in_thread

from asynq import FutureBase, asynq, get_active_task, get_scheduler


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def all_of(futures):
    return (yield futures)


@pytest.fixture
def leave_behind():
    """Awaits futures in a call that is interrupted once each of them waits."""

    def interrupt(item):
        item.set_value(None)
        raise KeyboardInterrupt

    interrupting = Source("interrupting", answer=interrupt, priority=(1, 0))

    def leave_behind(*futures):
        with pytest.raises(KeyboardInterrupt):
            all_of([*futures, interrupting.item(1)])

    return leave_behind


def test_it_waits_with_what_it_waited_for(leave_behind, source):
    item = source.item(1)

    @asynq()
    def waits():
        return (yield item)

    task = waits.asynq()
    leave_behind(task)
    assert (task.is_computed(), task.is_blocked(), task._dependencies) == (False, True, [item])


def test_it_goes_on_where_it_was(leave_behind, log, source):
    @asynq()
    def twice():
        log.append("begins")
        first = yield source.item(1)
        log.append("goes on")
        return first, (yield source.item(2))

    task = twice.asynq()
    leave_behind(task)
    assert task.value() == (2, 4)
    assert log == ["begins", ("source", [1]), "goes on", ("source", [2])]


def test_its_item_goes_with_those_of_the_next_call(leave_behind, source):
    tasks = [look_up.asynq(source, 1), look_up.asynq(source, 2)]
    leave_behind(*tasks)
    assert all_of([*tasks, look_up.asynq(source, 3)]) == [2, 4, 6]
    assert source.flushed == [[1, 2, 3]]


def test_it_does_not_hold_up_those_it_is_awaited_with(leave_behind, log, new_source):
    slow, quick = new_source("slow", priority=1), new_source("quick", priority=2)
    task = look_up.asynq(slow, 1)
    leave_behind(task)

    @asynq()
    def steps():
        for key in range(3):
            yield quick.item(key)

    all_of([task, steps.asynq()])
    assert log == [("quick", [0]), ("quick", [1]), ("quick", [2]), ("slow", [1])]


def test_a_call_that_does_not_ask_for_it_does_not_run_it(leave_behind, log, source):
    @asynq()
    def waits():
        value = yield source.item(1)
        log.append("goes on")
        return value

    task = waits.asynq()
    leave_behind(task)
    assert look_up(source, 2) == 4
    assert log == [("source", [1, 2])]
    assert task.value() == 2
    assert log == [("source", [1, 2]), "goes on"]


def test_it_may_be_left_behind_again(leave_behind, source):
    task = look_up.asynq(source, 1)
    for _ in range(3):
        leave_behind(task)
    assert task.value() == 2
    assert source.flushed == [[1]]


def test_a_chain_of_tasks_is_picked_up_from_its_top(leave_behind, source):
    @asynq()
    def chain(n):
        return 1 + (yield chain.asynq(n - 1)) if n else (yield source.item(0))

    task = chain.asynq(100)
    leave_behind(task)
    assert task.value() == 100


def test_what_another_one_waits_for_may_be_picked_up_alone(leave_behind, source):
    inner = look_up.asynq(source, 1)
    outer = all_of.asynq([inner])
    leave_behind(outer)
    assert inner.value() == 2
    assert outer.value() == [2]


def test_a_task_that_two_waited_for_runs_once(leave_behind, log, source):
    @asynq()
    def shared():
        yield source.item(1)
        log.append("shared")
        return 42

    task = shared.asynq()
    waiting = [all_of.asynq([task]), all_of.asynq([task])]
    leave_behind(*waiting)
    assert all_of(waiting) == [[42], [42]]
    assert log == [("source", [1]), "shared"]


def test_it_goes_on_in_another_thread(leave_behind, source):
    task = all_of.asynq([look_up.asynq(source, 1), source.item(2)])
    leave_behind(task)
    assert in_thread(task.value) == [2, 4]


def test_it_may_be_given_its_value_meanwhile(leave_behind, source):
    task = look_up.asynq(source, 1)
    leave_behind(task)
    task.set_value(42)
    assert all_of([task]) == [42]
    assert source.flushed == []


def test_its_item_may_be_given_a_value_meanwhile(leave_behind, source):
    item = source.item(1)
    task = all_of.asynq([item])
    leave_behind(task)
    item.set_value(42)
    assert task.value() == [42]


def test_its_batch_may_be_flushed_meanwhile(leave_behind, source):
    task = look_up.asynq(source, 1)
    leave_behind(task)
    source.open.flush()
    assert task.value() == 2
    assert source.flushed == [[1]]


def test_its_batch_may_be_cancelled_meanwhile(leave_behind, source):
    item = source.item(1)

    @asynq()
    def patient():
        try:
            yield item
        except ValueError as error:
            return str(error)

    task = patient.asynq()
    leave_behind(task)
    item.batch.cancel(ValueError("cancelled"))
    assert task.value() == "cancelled"


def test_a_promise_may_be_awaited_again(leave_behind, source):
    promise = FutureBase()
    task = all_of.asynq([promise])
    leave_behind(task)

    @asynq()
    def fulfils():
        yield source.item(1)
        promise.set_value(42)

    assert all_of([promise, task, fulfils.asynq()]) == [42, [42], None]


def test_a_promise_may_be_awaited_again_in_another_thread(leave_behind):
    promise = FutureBase()
    task = all_of.asynq([promise])
    leave_behind(task)

    @asynq()
    def fulfils():
        yield None
        promise.set_value(42)

    assert in_thread(all_of, [promise, task, fulfils.asynq()]) == [42, [42], None]


def test_an_error_is_raised_in_it_when_it_goes_on(leave_behind, source):
    @asynq()
    def fails():
        yield source.item(1)
        raise KeyError("x")

    @asynq()
    def catches():
        try:
            yield fails.asynq()
        except KeyError:
            return "caught"

    task = catches.asynq()
    leave_behind(task)
    assert task.value() == "caught"


def test_in_a_nested_call_it_goes_on_in_the_call_around(leave_behind, source):
    task = look_up.asynq(source, 1)

    @asynq()
    def main():
        leave_behind(task)
        return (yield task, source.item(2))

    assert main() == (2, 4)
    assert source.flushed == [[1, 2]]


# When a caller has its value before what it waits for.


def test_what_a_caller_did_not_wait_for_can_be_awaited_later(log, source):
    callers = []
    task = look_up.asynq(source, 1)

    @asynq()
    def answers():
        yield None
        callers[0].set_value("early")

    @asynq()
    def caller():
        callers.append(get_active_task())
        yield task, answers.asynq()

    assert caller() == "early"
    assert (log, task.is_computed()) == ([], False)
    assert all_of([task, source.item(2)]) == [2, 4]
    assert log == [("source", [1, 2])]


def test_an_item_that_a_caller_did_not_wait_for_leaves_no_batch_in_the_scheduler(source):
    callers = []

    @asynq()
    def answers():
        yield None
        callers[0].set_value("early")

    @asynq()
    def caller():
        callers.append(get_active_task())
        yield source.item(1), answers.asynq()

    assert caller() == "early"
    assert get_scheduler()._batches == []
    assert look_up(source, 2) == 4
    assert source.flushed == [[1, 2]]


# Contexts.


def test_its_contexts_are_paused_until_it_goes_on(leave_behind, context, log, source):
    @asynq()
    def waits():
        with context("outer"), context("inner"):
            yield source.item(1)
            log.append("inside")

    task = waits.asynq()
    leave_behind(task)
    assert log == ["+outer", "+inner", "-inner", "-outer"]
    log.clear()
    task.value()
    assert log == [
        *("+outer", "+inner", "-inner", "-outer"),
        ("source", [1]),
        *("+outer", "+inner", "inside", "-inner", "-outer"),
    ]


def test_its_contexts_are_left_alone_by_a_call_that_does_not_ask_for_it(
    leave_behind, context, log, source
):
    @asynq()
    def waits():
        with context("a"):
            yield source.item(1)

    task = waits.asynq()
    leave_behind(task)
    log.clear()
    look_up(source, 2)
    assert log == [("source", [1, 2])]
    task.value()
    assert log[1:] == ["+a", "-a"]


def test_a_context_that_cannot_be_resumed_fails_it(leave_behind, context, source):
    scope = context("a")

    @asynq()
    def waits():
        with scope:
            yield source.item(1)

    task = waits.asynq()
    leave_behind(task)

    def cannot():
        raise KeyError("gone")

    scope.resume = cannot
    with pytest.raises(KeyError, match="gone"):
        task.value()


# Garbage.


class Owner:
    """Something that can refer to what refers to it."""


def test_a_task_that_nobody_asks_for_is_garbage(leave_behind, source):
    def leave():
        owner = Owner()

        @asynq()
        def waits():
            yield source.item(1)
            return owner

        owner.task = waits.asynq()
        leave_behind(owner.task)
        return weakref.ref(owner)

    gone = leave()
    gc.collect()
    assert gone() is None


def test_an_item_that_nobody_asks_for_is_garbage(leave_behind, new_source):
    def leave():
        source = new_source("short-lived")
        source.item(1).owner = source
        leave_behind(all_of.asynq([source.open.items[0]]))
        return weakref.ref(source)

    gone = leave()
    gc.collect()
    assert gone() is None


def test_a_context_that_nobody_goes_back_to_is_garbage(leave_behind, context, source):
    def leave():
        scope = context("a")
        owner = scope.owner = Owner()

        @asynq()
        def waits():
            with scope:
                yield source.item(1)

        leave_behind(waits.asynq())
        return weakref.ref(owner)

    gone = leave()
    gc.collect()
    assert gone() is None
