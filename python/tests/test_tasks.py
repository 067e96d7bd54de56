import pytest

from asynq import (
    AsyncTask,
    ConstFuture,
    FutureBase,
    FutureIsAlreadyComputed,
    asynq,
    get_active_task,
)


@asynq()
def double(x):
    return 2 * x


@asynq()
def add(x, y=0, *more, **named):
    yield None
    return x + y + sum(more) + sum(named.values())


# Calls.


def test_a_plain_call_gives_the_value():
    assert add(1, 2) == 3


def test_a_plain_function_can_be_async():
    assert double(21) == 42


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_an_asynchronous_call_gives_a_task():
    assert type(double.asynq(21)) is AsyncTask


def test_the_value_of_a_task_is_what_its_function_returns():
    assert double.asynq(21).value() == 42


def test_calling_a_task_gives_its_value():
    assert double.asynq(21)() == 42


def test_arguments_are_passed_on():
    assert add(1, 2, 3, a=4, b=5) == 15
    assert add.asynq(1, 2, 3, a=4, b=5).value() == 15


def test_wrong_arguments_of_a_generator_are_an_error_of_the_call():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        add.asynq()


def test_a_future_that_is_returned_is_not_awaited():
    @asynq()
    def give():
        return ConstFuture(42)

    assert give().value() == 42


def test_a_task_without_return_has_the_value_none():
    @asynq()
    def nothing():
        yield None

    assert nothing() is None


def test_a_method_is_called_with_its_object():
    class Counter:
        step = 3

        @asynq()
        def next(self, x):
            return x + self.step

    assert Counter().next(1) == 4
    assert Counter().next.asynq(1).value() == 4


# When a task runs.


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_does_not_run_before_somebody_wants_its_value():
    ran = []

    @asynq()
    def run():
        ran.append("ran")
        yield None

    run.asynq()
    assert ran == []


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_plain_function_does_not_run_before_somebody_wants_its_value():
    ran = []

    @asynq()
    def run():
        ran.append("ran")

    run.asynq()
    assert ran == []


def test_a_task_runs_once():
    ran = []

    @asynq()
    def run():
        ran.append("ran")
        return (yield ConstFuture("value"))

    task = run.asynq()
    assert [task.value(), task.value()] == ["value", "value"]
    assert ran == ["ran"]


def test_a_task_that_several_wait_for_runs_once(source):
    ran = []

    @asynq()
    def shared():
        ran.append("ran")
        return (yield source.item(1))

    @asynq()
    def wait_for(task):
        return (yield task)

    @asynq()
    def main():
        task = shared.asynq()
        return (yield [wait_for.asynq(task), wait_for.asynq(task), task, task])

    assert main() == [2, 2, 2, 2]
    assert ran == ["ran"]


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_that_was_never_awaited_never_runs(source):
    ran = []

    @asynq()
    def forgotten():
        ran.append("ran")

    @asynq()
    def main():
        forgotten.asynq()
        yield source.item(1)

    main()
    assert ran == []


def test_a_task_can_be_awaited_long_after_it_was_made(source):
    @asynq()
    def main():
        task = double.asynq(21)
        yield source.item(1)
        yield source.item(2)
        return (yield task)

    assert main() == 42


# Attributes.


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_knows_its_function_and_arguments():
    task = add.asynq(1, 2, a=3)
    assert (task.fn, task.args, task.kwargs) == (add.fn, (1, 2), {"a": 3})


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_of_a_method_has_the_object_among_its_arguments():
    class Thing:
        @asynq()
        def method(self, x):
            yield None

    thing = Thing()
    assert thing.method.asynq(1).args == (thing, 1)


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_without_keywords_has_an_empty_dictionary_of_them():
    assert double.asynq(1).kwargs == {}


def test_a_task_counts_how_often_it_was_set_going(source):
    counts = []

    @asynq()
    def main():
        counts.append(get_active_task().iteration_index)
        yield source.item(1)
        counts.append(get_active_task().iteration_index)
        yield None
        counts.append(get_active_task().iteration_index)

    task = main.asynq()
    assert task.iteration_index == 0
    task.value()
    assert counts == [1, 2, 3]


def test_a_task_has_a_generator_until_it_has_ended():
    task = add.asynq(1)
    assert task._generator is not None
    task.value()
    assert task._generator is None


def test_a_waiting_task_shows_what_it_waits_for(new_source):
    tasks, seen = [], []
    source = new_source("source")
    source.answer = lambda item: (seen.extend(tasks[0]._dependencies), item.set_value(1))

    @asynq()
    def main():
        tasks.append(get_active_task())
        yield source.item("key")

    main()
    assert [item.key for item in seen] == ["key"]


def test_a_task_that_has_ended_waits_for_nothing(source):
    @asynq()
    def main():
        yield source.item(1)

    task = main.asynq()
    task.value()
    assert list(task._dependencies) == []


def test_a_task_is_shown_with_its_call_and_value():
    task = add.asynq(1, y=2)
    task.value()
    assert str(task).endswith("test_tasks.add(1,y=2) (computed, = 3, passed yield #1)")


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_new_task_is_shown_as_waiting():
    assert "add(1) (waiting, " in str(add.asynq(1))


def test_a_task_is_shown_with_its_error():
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    task = fail.asynq()
    with pytest.raises(KeyError):
        task.value()
    assert "(computed, error = KeyError('x'), passed yield #1)" in str(task)


def test_a_waiting_task_is_shown_with_the_number_of_its_dependencies(new_source):
    tasks, seen = [], []
    source = new_source("source")
    source.answer = lambda item: (seen.append(str(tasks[0])), item.set_value(1))

    @asynq()
    def main():
        tasks.append(get_active_task())
        yield [source.item(1), source.item(2)]

    main()
    assert "(blocked x2, before 1st yield)" in seen[0]


# Set from outside.


def test_a_task_whose_value_is_set_does_not_run():
    ran = []

    @asynq()
    def run():
        ran.append("ran")
        yield None

    task = run.asynq()
    task.set_value(42)
    assert task.value() == 42
    assert ran == []


def test_a_task_whose_error_is_set_does_not_run():
    task = double.asynq(1)
    task.set_error(KeyError("x"))
    with pytest.raises(KeyError):
        task.value()


def test_a_task_whose_value_is_set_has_nothing_left_to_do():
    task = add.asynq(1)
    task.set_value(42)
    assert task._generator is None


def test_a_task_that_has_ended_cannot_be_set():
    task = double.asynq(1)
    task.value()
    with pytest.raises(FutureIsAlreadyComputed):
        task.set_value(3)


def test_a_waiting_task_can_be_given_its_value_by_another(log, source):
    tasks = []

    @asynq()
    def waits():
        tasks.append(get_active_task())
        try:
            yield source.item(1)
            log.append("went on")
        finally:
            log.append("closed")

    @asynq()
    def sets():
        tasks[0].set_value("set")
        log.append("set")
        yield None

    @asynq()
    def main():
        return (yield waits.asynq(), sets.asynq())

    assert main() == ("set", None)
    assert log[:2] == ["closed", "set"]
    assert "went on" not in log


@pytest.mark.parametrize("last", ["nothing", None, [], ConstFuture(1), {"key": ConstFuture(1)}])
def test_a_task_can_be_given_its_value_by_a_synchronous_call_that_it_makes(last):
    @asynq()
    def sets(task):
        yield None
        task.set_value("set")

    @asynq()
    def calls():
        yield None
        sets(get_active_task())
        if last != "nothing":
            yield last
        return "returned"

    assert calls() == "set"
    assert calls.asynq().value() == "set"


def test_a_task_is_computed_for_its_handlers_when_it_ends(log):
    @asynq()
    def main():
        task = double.asynq(21)
        task.on_computed.subscribe(lambda it: log.append(it.value()))
        yield task
        log.append("went on")

    main()
    assert log == [42, "went on"]


def test_a_promise_is_fulfilled_by_another_task(log):
    promise = FutureBase()

    @asynq()
    def waits():
        value = yield promise
        log.append(value)
        return value

    @asynq()
    def fulfils():
        log.append("fulfils")
        promise.set_value(42)
        yield None

    @asynq()
    def main():
        return (yield waits.asynq(), fulfils.asynq())

    assert main() == (42, None)
    assert log == ["fulfils", 42]
