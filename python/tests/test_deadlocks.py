"""Tasks that can never continue raise a clear error, and never hang."""

import pytest

from asynq import AsyncTaskError, FutureBase, asynq


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def wait_for_each_other(tasks, index):
    return (yield tasks[index])


def test_a_task_that_awaits_itself_is_an_error_that_names_it():
    tasks = []
    tasks.append(wait_for_each_other.asynq(tasks, 0))
    with pytest.raises(AsyncTaskError, match=r"(?s)wait_for_each.*waits for.*wait_for_each"):
        tasks[0].value()
    tasks.clear()


def test_two_tasks_that_await_each_other_are_an_error_that_names_them():
    tasks = []

    @asynq()
    def hen():
        yield tasks[1]

    @asynq()
    def egg():
        yield tasks[0]

    tasks += [hen.asynq(), egg.asynq()]
    with pytest.raises(AsyncTaskError, match=r"(?s)hen.*egg.*egg.*hen"):
        tasks[0].value()
    tasks.clear()


def test_a_ring_of_a_thousand_tasks_is_an_error():
    tasks = []
    tasks += [wait_for_each_other.asynq(tasks, (n + 1) % 1000) for n in range(1000)]
    with pytest.raises(AsyncTaskError, match="deadlock"):
        tasks[0].value()
    tasks.clear()


def test_a_task_in_a_deadlock_may_catch_the_error_and_go_on(source):
    tasks = []

    @asynq()
    def resolute():
        try:
            yield tasks[0]
        except AsyncTaskError:
            return (yield source.item(21))

    tasks.append(resolute.asynq())
    assert tasks[0].value() == 42
    tasks.clear()


def test_a_promise_that_nobody_fulfils_is_an_error_that_names_who_waits():
    @asynq()
    def patient():
        yield FutureBase()

    with pytest.raises(AsyncTaskError, match=r"patient\(\) waits for a .*FutureBase"):
        patient()


def test_a_deadlock_fails_only_those_that_can_never_go_on(source):
    @asynq()
    def patient():
        try:
            yield FutureBase()
        except AsyncTaskError:
            return "gave up"

    @asynq()
    def main():
        return (yield patient.asynq(), look_up.asynq(source, 21))

    assert main() == ("gave up", 42)


def test_a_task_that_asks_for_its_own_value_gets_an_error():
    tasks = []

    @asynq()
    def impatient():
        yield None
        return tasks[0].value()

    tasks.append(impatient.asynq())
    with pytest.raises(AsyncTaskError, match="impatient"):
        tasks[0].value()
    tasks.clear()


def test_a_task_that_asks_for_the_value_of_its_caller_gets_an_error():
    tasks = []

    @asynq()
    def inner():
        yield None
        return tasks[0].value()

    @asynq()
    def outer():
        yield None
        return inner()

    tasks.append(outer.asynq())
    with pytest.raises(AsyncTaskError, match="outer"):
        tasks[0].value()
    tasks.clear()


def test_a_task_that_awaits_its_caller_gets_an_error():
    tasks = []

    @asynq()
    def inner():
        yield tasks[0]

    @asynq()
    def outer():
        yield None
        return inner()

    tasks.append(outer.asynq())
    with pytest.raises(AsyncTaskError, match=r"(?s)inner.*outer"):
        tasks[0].value()
    tasks.clear()


def test_a_call_that_gets_stuck_may_be_repeated_when_what_it_needs_is_there():
    promise = FutureBase()

    @asynq()
    def patient():
        return (yield promise)

    @asynq()
    def main():
        yield None
        task = patient.asynq()
        with pytest.raises(AsyncTaskError):
            task.value()
        promise.set_value(42)
        return (yield task)

    assert main() == 42


def test_a_flush_that_waits_for_its_own_item_is_an_error(new_source):
    source = new_source("source")

    @asynq()
    def look_up_in_flush(item):
        return (yield item)

    source.answer = lambda item: item.set_value(look_up_in_flush(item))
    with pytest.raises(AsyncTaskError, match="look_up_in_flush"):
        look_up(source, 1)


def test_after_a_deadlock_the_scheduler_works(source):
    @asynq()
    def patient():
        yield FutureBase()

    for _ in range(3):
        with pytest.raises(AsyncTaskError):
            patient()
    assert look_up(source, 21) == 42
