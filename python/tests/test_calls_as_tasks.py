"""A synchronous call is a task as soon as somebody asks which task is running."""

import gc
import weakref

import pytest
from threads import in_thread

from asynq import AsyncContext, AsyncTaskError, asynq, get_active_task


@pytest.fixture
def asked():
    """The tasks that were asked for."""
    return []


@pytest.fixture(params=["plain", "that yields nothing pending", "that waits"])
def function(request, asked, source):
    """A function that asks for its task, of each kind, and returns the double of its argument."""

    @asynq()
    def plain(x):
        asked.append(get_active_task())
        return 2 * x

    @asynq()
    def yields(x):
        asked.append(get_active_task())
        yield None
        return 2 * x

    @asynq()
    def waits(x):
        asked.append(get_active_task())
        return (yield source.item(x))

    functions = {"plain": plain, "that yields nothing pending": yields, "that waits": waits}
    return functions[request.param]


def test_the_task_has_the_value_of_the_call(asked, function):
    assert function(21) == 42
    assert (asked[0].is_computed(), asked[0].value()) == (True, 42)


def test_the_task_has_the_function_and_the_arguments(asked, function):
    function(x=1)
    assert (asked[0].fn, asked[0].args, asked[0].kwargs) == (function.fn, (), {"x": 1})


def test_the_task_can_be_awaited_after_the_call(asked, function):
    function(21)

    @asynq()
    def main():
        return (yield asked[0])

    assert main() == 42


def test_the_task_can_be_awaited_after_the_call_in_another_thread(asked, function):
    function(21)
    assert in_thread(asked[0].value) == 42


def test_the_task_does_not_run_again(asked, function):
    function(21)
    asked[0].value()
    assert len(asked) == 1
    assert not asked[0].can_continue()


def test_a_call_in_a_task_has_that_task_as_its_creator(asked, function):
    @asynq()
    def main():
        function(1)
        yield None
        return get_active_task()

    task = main.asynq()
    assert task.value() is task
    assert asked[0].creator is task


def test_calls_inside_each_other_have_each_other_as_creators(asked):
    @asynq()
    def innermost():
        inner = get_active_task().creator
        outer = inner.creator
        return inner.fn, outer.fn, outer.creator

    @asynq()
    def middle():
        return innermost()

    @asynq()
    def outermost():
        return middle()

    assert outermost() == (middle.fn, outermost.fn, None)


def test_a_call_asked_for_inside_another_leaves_that_one_its_own_task(asked, function):
    @asynq()
    def outer():
        function(1)
        asked.append(get_active_task())
        return "outer"

    assert outer() == "outer"
    assert [task.value() for task in asked] == [2, "outer"]
    assert asked[0].creator is asked[1]


def test_the_task_is_running_during_the_call(asked):
    @asynq()
    def main():
        task = get_active_task()
        return task.running, task.iteration_index, task.is_computed(), task.is_blocked()

    assert main() == (True, 1, False, False)


def test_the_task_is_not_running_after_the_call(asked, function):
    function(1)
    assert not asked[0].running


def test_steps_after_the_first_are_counted(source):
    @asynq()
    def main():
        first = get_active_task().iteration_index
        yield source.item(1)
        return first, get_active_task().iteration_index

    assert main() == (1, 2)


def test_its_handlers_are_called_when_the_call_ends(log):
    @asynq()
    def main():
        get_active_task().on_computed.subscribe(lambda task: log.append(task.value()))
        log.append("asked")
        return 42

    main()
    assert log == ["asked", 42]


def test_its_error_is_that_of_the_call(asked):
    @asynq()
    def main():
        asked.append(get_active_task())
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        main()
    assert asked[0].error() is caught.value
    assert caught.value._task is asked[0]


def test_its_error_after_waiting_is_that_of_the_call(asked, source):
    @asynq()
    def main():
        asked.append(get_active_task())
        yield source.item(1)
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        main()
    assert asked[0].error() is caught.value


def test_what_is_called_may_not_wait_for_it(asked):
    @asynq()
    def inner():
        yield asked[0]

    @asynq()
    def main():
        asked.append(get_active_task())
        inner()

    with pytest.raises(AsyncTaskError, match=r"(?s)main\(\).*running"):
        main()


def test_another_thread_may_not_wait_for_it(asked):
    @asynq()
    def main():
        in_thread(get_active_task().value)

    with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
        main()


def test_its_value_may_be_set_during_the_call(asked):
    @asynq()
    def main():
        get_active_task().set_value("set")
        return "returned"

    assert main() == "set"


def test_its_value_may_be_set_by_what_it_calls(source):
    @asynq()
    def inner(task):
        yield source.item(1)
        task.set_value("set")

    @asynq()
    def main():
        inner(get_active_task())
        return "returned"

    assert main() == "set"


def test_a_context_that_it_enters_is_active_in_what_it_waits_for(log, source):
    class Noted(AsyncContext):
        def resume(self):
            log.append("+")

        def pause(self):
            log.append("-")

    @asynq()
    def inner():
        yield None
        log.append("inner")

    @asynq()
    def main():
        with Noted():
            yield inner.asynq()
            yield source.item(1)

    main()
    assert log == ["+", "inner", "-", ("source", [1]), "+", "-"]


def test_it_is_garbage_when_nobody_refers_to_it():
    gone = []

    @asynq()
    def main(arguments):
        task = get_active_task()
        arguments.append(task)
        gone.append(weakref.ref(task))

    main([])
    gc.collect()
    assert gone[0]() is None
