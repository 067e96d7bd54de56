import traceback

import pytest

from asynq import AsyncTaskCancelledError, ConstFuture, ErrorFuture, asynq, get_active_task


class Oops(Exception):
    pass


@asynq()
def fail(message="oops"):
    yield None
    raise Oops(message)


@asynq()
def fail_at_once(message="oops"):
    raise Oops(message)


@asynq()
def fine(value=42):
    yield None
    return value


def functions(error):
    """Returns the names of the functions in the traceback of an error."""
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def test_the_error_of_a_task_is_raised_to_who_calls_it():
    with pytest.raises(Oops, match="oops"):
        fail()


def test_the_error_of_a_plain_function_is_raised_to_who_calls_it():
    with pytest.raises(Oops, match="oops"):
        fail_at_once()


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_making_a_task_raises_nothing():
    assert not fail_at_once.asynq().is_computed()


def test_the_error_of_a_task_is_its_error():
    assert str(fail.asynq("x").error()) == "x"


def test_it_is_the_very_exception_that_was_raised():
    error = Oops()

    @asynq()
    def raiser():
        yield None
        raise error

    @asynq()
    def middle():
        yield raiser.asynq()

    with pytest.raises(Oops) as caught:
        middle()
    assert caught.value is error


def test_the_error_of_a_task_is_raised_at_the_yield():
    @asynq()
    def main():
        try:
            yield fail.asynq()
        except Oops:
            return "caught"

    assert main() == "caught"


def test_a_task_that_caught_an_error_goes_on(source):
    @asynq()
    def main():
        caught = []
        for _ in range(3):
            try:
                yield fail.asynq()
            except Oops:
                caught.append((yield source.item(1)))
        return caught

    assert main() == [2, 2, 2]


def test_a_task_may_raise_another_error_instead():
    @asynq()
    def main():
        try:
            yield fail.asynq()
        except Oops as error:
            raise KeyError("other") from error

    with pytest.raises(KeyError) as caught:
        main()
    assert type(caught.value.__cause__) is Oops


def test_a_finally_block_may_await(log, source):
    @asynq()
    def main():
        try:
            yield fail.asynq()
        finally:
            log.append((yield source.item(1)))

    with pytest.raises(Oops):
        main()
    assert log[-1] == 2


def test_an_error_passes_through_tasks_that_do_not_catch_it():
    @asynq()
    def level(n):
        yield fail.asynq() if n == 0 else level.asynq(n - 1)

    with pytest.raises(Oops):
        level(50)


def test_a_synchronous_call_raises_the_error():
    @asynq()
    def main():
        yield None
        try:
            fail()
        except Oops:
            return "caught"

    assert main() == "caught"


# Several errors at once.


def test_the_first_error_in_the_order_given_is_raised():
    @asynq()
    def main():
        yield fine.asynq(), fail.asynq("first"), fail.asynq("second")

    with pytest.raises(Oops, match="first"):
        main()


def test_the_first_in_the_order_given_is_raised_also_if_it_failed_last(source):
    @asynq()
    def fail_late():
        yield source.item(1)
        raise Oops("late")

    @asynq()
    def main():
        yield [fail_late.asynq(), fail_at_once.asynq("early")]

    with pytest.raises(Oops, match="late"):
        main()


def test_the_first_in_a_nested_structure_is_raised():
    @asynq()
    def main():
        yield {"a": [fine.asynq(), (fail.asynq("inner"),)], "b": fail.asynq("outer")}

    with pytest.raises(Oops, match="inner"):
        main()


def test_the_others_run_to_their_end(log, source):
    @asynq()
    def slow():
        yield source.item(1)
        yield source.item(2)
        log.append("ended")

    @asynq()
    def main():
        try:
            yield fail_at_once.asynq(), slow.asynq()
        except Oops:
            log.append("caught")

    main()
    assert log == [("source", [1]), ("source", [2]), "ended", "caught"]


def test_a_value_before_an_error_does_not_hide_it():
    @asynq()
    def main():
        yield [ConstFuture(1), ErrorFuture(Oops("x"))]

    with pytest.raises(Oops):
        main()


# One error, several who get it.


def test_every_task_that_awaits_a_failed_task_gets_its_error():
    @asynq()
    def wait_for(task):
        try:
            yield task
        except Oops as error:
            return error

    @asynq()
    def main():
        task = fail.asynq()
        return (yield [wait_for.asynq(task) for _ in range(3)])

    first, second, third = main()
    assert first is second is third


def test_a_failed_task_raises_its_error_each_time():
    task = fail.asynq()
    for _ in range(3):
        with pytest.raises(Oops):
            task.value()


def test_a_failed_task_can_be_awaited():
    task = fail.asynq()
    task.error()

    @asynq()
    def main():
        yield task

    with pytest.raises(Oops):
        main()


def test_those_who_get_one_error_do_not_see_each_other_in_its_traceback():
    names = []

    @asynq()
    def first(task):
        try:
            yield task
        except Oops as error:
            names.append(functions(error))

    @asynq()
    def second(task):
        try:
            yield task
        except Oops as error:
            names.append(functions(error))

    @asynq()
    def main():
        task = fail.asynq()
        yield first.asynq(task), second.asynq(task)

    main()
    assert names == [["first", "fail"], ["second", "fail"]]


def test_the_traceback_leads_through_the_tasks_to_the_cause():
    @asynq()
    def inner():
        yield fail.asynq()

    @asynq()
    def outer():
        yield inner.asynq()

    with pytest.raises(Oops) as caught:
        outer()
    names = [name for name in functions(caught.value) if name in {"outer", "inner", "fail"}]
    assert names == ["outer", "inner", "fail"]


def test_an_error_knows_the_task_that_failed_first():
    @asynq()
    def outer():
        yield fail.asynq()

    with pytest.raises(Oops) as caught:
        outer()
    assert caught.value._task.fn is fail.fn


def test_an_exception_without_attributes_can_be_an_error():
    class Narrow(Exception):
        __slots__ = ()

        def __setattr__(self, name, value):
            if not name.startswith("__"):
                raise AttributeError(name)
            super().__setattr__(name, value)

    @asynq()
    def main():
        yield None
        raise Narrow

    with pytest.raises(Narrow):
        main()


# Cancellation, and generators that are stubborn.


def test_a_task_that_cancels_itself_has_that_for_an_error():
    @asynq()
    def main():
        yield None
        raise AsyncTaskCancelledError

    with pytest.raises(AsyncTaskCancelledError):
        main()


def test_a_cancellation_is_not_caught_by_except_exception():
    @asynq()
    def cancelled():
        yield None
        raise AsyncTaskCancelledError

    @asynq()
    def main():
        try:
            yield cancelled.asynq()
        except Exception:
            return "caught"

    with pytest.raises(AsyncTaskCancelledError):
        main()


def test_a_generator_exit_from_elsewhere_ends_a_task_with_none():
    @asynq()
    def main():
        yield ErrorFuture(GeneratorExit())

    assert main() is None


def test_an_error_raised_while_a_generator_is_closed_is_not_lost(source):
    tasks = []

    @asynq()
    def stubborn():
        tasks.append(get_active_task())
        try:
            yield source.item(1)
        finally:
            raise Oops("while closing")

    @asynq()
    def sets():
        with pytest.raises(Oops, match="while closing"):
            tasks[0].set_value(42)
        yield None

    @asynq()
    def main():
        return (yield stubborn.asynq(), sets.asynq())

    assert main() == (42, None)


def test_a_generator_that_does_not_close_is_an_error_of_who_sets_its_value(source):
    tasks = []

    @asynq()
    def stubborn():
        tasks.append(get_active_task())
        while True:
            try:
                yield source.item(1)
            except GeneratorExit:
                if tasks[0].is_computed():
                    yield None
                    return

    @asynq()
    def sets():
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            tasks[0].set_value(42)
        yield None

    @asynq()
    def main():
        return (yield stubborn.asynq(), sets.asynq())

    assert main() == (42, None)


# The scheduler afterwards.


def test_what_a_failed_call_left_behind_can_still_be_awaited(log, source):
    @asynq()
    def slow():
        yield source.item(1)
        log.append("ended")
        return 42

    task = slow.asynq()
    callers = []

    @asynq()
    def fail_the_caller():
        callers[0].set_error(Oops())

    @asynq()
    def both():
        callers.append(get_active_task())
        yield task, fail_the_caller.asynq()

    with pytest.raises(Oops):
        both()
    assert log == []
    assert task.value() == 42
    assert log == [("source", [1]), "ended"]


def test_after_an_error_other_calls_work():
    with pytest.raises(Oops):
        fail()
    assert fine() == 42
