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


def test_a_task_does_not_run_before_somebody_wants_its_value():
    ran = []

    @asynq()
    def run():
        ran.append("ran")
        yield None

    run.asynq()
    assert ran == []


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


# The order.


def test_tasks_awaited_together_start_in_the_order_given(log):
    @asynq()
    def child(name):
        log.append(name)
        yield None

    @asynq()
    def main():
        yield [child.asynq("a"), (child.asynq("b"), child.asynq("c")), {"d": child.asynq("d")}]

    main()
    assert log == ["a", "b", "c", "d"]


def test_tasks_start_depth_first(log, source):
    @asynq()
    def leaf(name):
        log.append(name)
        yield source.item(1)

    @asynq()
    def branch(name):
        log.append(name)
        yield leaf.asynq(name + "1"), leaf.asynq(name + "2")

    @asynq()
    def main():
        yield branch.asynq("a"), branch.asynq("b")

    main()
    assert log[:-1] == ["a", "a1", "a2", "b", "b1", "b2"]


def test_woken_tasks_go_on_in_the_order_in_which_they_began_to_wait(log, source):
    @asynq()
    def child(name):
        yield source.item(1)
        log.append(name)

    @asynq()
    def main():
        yield [child.asynq(name) for name in "abc"]

    main()
    assert log[1:] == ["a", "b", "c"]


def test_a_task_that_came_late_to_the_wait_goes_on_late(log, new_source):
    first, second = new_source("first", priority=2), new_source("second", priority=1)

    @asynq()
    def late():
        yield first.item(1)
        yield second.item(2)
        log.append("late")

    @asynq()
    def early():
        yield second.item(3)
        log.append("early")

    @asynq()
    def main():
        yield late.asynq(), early.asynq()

    main()
    assert log == [("first", [1]), ("second", [3, 2]), "early", "late"]


def test_who_waits_goes_on_when_the_last_of_all_is_there(log, new_source):
    first, second = new_source("first", priority=2), new_source("second", priority=1)

    @asynq()
    def main():
        yield first.item(1), second.item(2)
        log.append("both")

    main()
    assert log == [("first", [1]), ("second", [2]), "both"]


def test_a_task_whose_awaited_values_are_there_goes_on_at_once(log):
    @asynq()
    def child():
        for step in range(3):
            log.append(step)
            yield ConstFuture(None), None

    @asynq()
    def other():
        log.append("other")

    @asynq()
    def main():
        yield child.asynq(), other.asynq()

    main()
    assert log == [0, 1, 2, "other"]


# Synchronous calls inside a task.


def test_a_task_may_call_an_async_function_synchronously():
    @asynq()
    def main(x):
        yield None
        return double(x) + 1

    assert main(20) == 41


def test_a_plain_function_may_call_an_async_function_synchronously():
    @asynq()
    def main(x):
        return double(x) + add(x, 1)

    assert main(10) == 31


def test_synchronous_calls_may_nest():
    @asynq()
    def count_down(n):
        yield None
        return 0 if n == 0 else 1 + count_down(n - 1)

    assert count_down(30) == 30


def test_a_synchronous_call_does_not_run_unrelated_tasks(log, source):
    @asynq()
    def look_up():
        return (yield source.item(1))

    @asynq()
    def caller():
        log.append("calls")
        look_up()
        log.append("called")
        yield None

    @asynq()
    def unrelated():
        log.append("unrelated")
        yield None

    @asynq()
    def main():
        yield caller.asynq(), unrelated.asynq()

    main()
    assert log == ["calls", ("source", [1]), "called", "unrelated"]


def test_a_synchronous_call_runs_what_it_needs_of_an_outer_call(log, source):
    @asynq()
    def shared():
        yield source.item(1)
        log.append("shared")
        return 42

    @asynq()
    def caller(task):
        log.append("calls")
        value = task.value()
        log.append("called")
        yield None
        return value

    @asynq()
    def main():
        task = shared.asynq()
        return (yield task, caller.asynq(task))

    assert main() == (42, 42)
    assert log == ["calls", ("source", [1]), "shared", "called"]


def test_ten_thousand_siblings_that_call_synchronously_do_not_nest(source):
    @asynq()
    def look_up(x):
        return (yield source.item(x))

    @asynq()
    def caller(x):
        yield None
        return look_up(x)

    @asynq()
    def main():
        return sum((yield [caller.asynq(x) for x in range(10_000)]))

    assert main() == 99_990_000


def test_a_batch_flushed_in_a_synchronous_call_takes_all_its_items_along(source):
    @asynq()
    def waits():
        return (yield source.item(1))

    @asynq()
    def calls():
        yield None
        return waits()

    @asynq()
    def main():
        return (yield waits.asynq(), waits.asynq(), calls.asynq())

    assert main() == (2, 2, 2)
    assert source.flushed == [[1, 1, 1]]


def test_a_value_asked_for_inside_a_flush_is_a_synchronous_call_too(new_source):
    inner = new_source("inner")

    @asynq()
    def look_up(key):
        return (yield inner.item(key))

    outer = new_source("outer", answer=lambda item: item.set_value(look_up(item.key) + 1))

    @asynq()
    def main():
        return (yield [outer.item(1), outer.item(2)])

    assert main() == [3, 5]


# Who runs.


def test_no_task_is_active_outside():
    assert get_active_task() is None


def test_the_active_task_is_the_one_whose_code_runs(source):
    seen = []

    @asynq()
    def child():
        seen.append(get_active_task().fn)
        yield source.item(1)
        seen.append(get_active_task().fn)

    @asynq()
    def main():
        seen.append(get_active_task().fn)
        yield child.asynq()
        seen.append(get_active_task().fn)

    main()
    assert seen == [main.fn, child.fn, child.fn, main.fn]


def test_a_task_is_active_again_after_a_synchronous_call():
    @asynq()
    def main():
        before = get_active_task()
        double(1)
        assert get_active_task() is before
        yield None

    main()


def test_no_task_is_active_after_an_error():
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert get_active_task() is None


def test_a_plain_function_is_active_while_it_runs():
    @asynq()
    def main():
        return get_active_task().fn

    assert main() is main.fn


def test_a_task_made_outside_has_no_creator():
    assert double.asynq(1).creator is None


def test_the_creator_of_a_task_is_the_task_that_made_it():
    @asynq()
    def main():
        yield None
        return get_active_task(), double.asynq(1).creator

    maker, creator = main()
    assert creator is maker


def test_the_creator_is_who_made_a_task_not_who_awaits_it():
    @asynq()
    def wait_for(task):
        yield task

    @asynq()
    def main():
        task = double.asynq(1)
        yield wait_for.asynq(task)
        return get_active_task(), task.creator

    maker, creator = main()
    assert creator is maker


def test_a_task_is_running_while_its_code_runs():
    @asynq()
    def main():
        inside = get_active_task().running
        yield None
        return inside

    task = main.asynq()
    assert (task.running, task.value(), task.running) == (False, True, False)


def test_a_task_that_waits_is_not_running(new_source):
    tasks, seen = [], []
    source = new_source("source", answer=lambda item: seen.append(tasks[0].running))

    @asynq()
    def main():
        tasks.append(get_active_task())
        try:
            yield source.item(1)
        except AssertionError:
            pass

    main()
    assert seen == [False]


# Attributes.


def test_a_task_knows_its_function_and_arguments():
    task = add.asynq(1, 2, a=3)
    assert (task.fn, task.args, task.kwargs) == (add.fn, (1, 2), {"a": 3})


def test_a_task_of_a_method_has_the_object_among_its_arguments():
    class Thing:
        @asynq()
        def method(self, x):
            yield None

    thing = Thing()
    assert thing.method.asynq(1).args == (thing, 1)


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
