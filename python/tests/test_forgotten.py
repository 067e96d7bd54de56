"""A forgotten `yield` or `await` is a warning or an error that says what to write."""

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest
from function_kinds import KINDS, by_await, by_yield, plain
from recorded_warnings import messages, recorded

from asynq import AsyncTask, AsyncTaskError, ErrorFuture, FutureBase, asynq, debug, gather
from asynq.tools import amap

# The interpreter itself warns of a coroutine that the garbage collector finds in a cycle, such as
# that of an error and its traceback.
WITHOUT_COROUTINE = pytest.mark.parametrize("fn", [by_yield, plain], ids=lambda fn: fn.__name__)


# Tasks that are dropped


@KINDS
def test_a_task_that_is_dropped_warns(fn):
    with recorded() as seen:
        fn.asynq(1)
    assert messages(seen) == [f"task {fn.__name__!r} was never yielded or awaited"]
    assert seen[0].category is RuntimeWarning
    assert seen[0].filename == __file__


class SubclassedTask(AsyncTask):
    pass


class FinalisedTask(AsyncTask):
    def __del__(self):
        pass


def garbage(cls):
    """Returns a weak reference to a task that only its own function refers to."""
    tasks = []

    @asynq(cls=cls)
    def fn():
        yield tasks

    tasks.append(fn.asynq())
    return weakref.ref(tasks[0])


# Up to CPython 3.10, a function that the collector has cleared crashes whoever looks at its name.
@pytest.mark.parametrize("cls", [AsyncTask, SubclassedTask])
def test_a_task_that_the_collector_finds_with_its_function_warns(cls):
    with recorded() as seen:
        garbage(cls)
        gc.collect()
    assert messages(seen) == ["task 'garbage.<locals>.fn' was never yielded or awaited"]


def test_a_task_with_a_del_method_may_be_found_by_the_collector_with_its_function():
    task = garbage(FinalisedTask)
    gc.collect()
    assert task() is None


@KINDS
def test_a_task_that_is_dropped_in_an_async_function_warns(fn):
    @asynq()
    def forgets():
        yield plain.asynq(1)
        fn.asynq(1)
        return "done"

    with recorded() as seen:
        assert forgets() == "done"
    assert messages(seen) == [f"task {fn.__name__!r} was never yielded or awaited"]


def test_a_task_that_a_variable_held_warns_when_the_function_returns():
    @asynq()
    async def forgets():
        task = by_await.asynq(1)
        return task is None

    with recorded() as seen:
        assert forgets() is False
    assert len(seen) == 1


def test_a_task_in_a_cycle_warns_when_it_is_collected():
    with recorded() as seen:
        cycle = [by_yield.asynq(1)]
        cycle.append(cycle)
        del cycle
        gc.collect()
    assert len(seen) == 1


def test_each_task_of_a_list_warns():
    with recorded() as seen:
        [fn.asynq(1) for fn in (by_yield, by_await, plain)]
    assert len(seen) == 3


def test_a_task_that_was_given_to_another_does_not_warn_beside_it():
    with recorded() as seen:
        amap.asynq(plain, by_yield.asynq(by_await.asynq(1)))
    assert messages(seen) == ["task 'amap' was never yielded or awaited"]


def test_a_tool_that_is_dropped_warns():
    with recorded() as seen:
        amap.asynq(plain, [1])
    assert messages(seen) == ["task 'amap' was never yielded or awaited"]


def test_a_method_that_is_dropped_warns():
    class Service:
        @asynq()
        async def method(self):
            pass

    with recorded() as seen:
        Service().method.asynq()
    assert messages(seen)[0].endswith("Service.method' was never yielded or awaited")


@pytest.mark.parametrize("option", ["DUMP_DEPENDENCIES", "KEEP_DEPENDENCIES"])
def test_debug_options_tell_where_it_was_created(option):
    setattr(debug.options, option, True)
    with recorded() as seen:
        task = by_await.asynq(1)
        line = sys._getframe().f_lineno - 1
        del task
    place = f"(created in {__file__}, line {line})"
    assert messages(seen) == [f"task 'by_await' was never yielded or awaited {place}"]
    assert (seen[0].filename, seen[0].lineno) == (__file__, line)


@pytest.mark.parametrize("option", ["DUMP_DEPENDENCIES", "KEEP_DEPENDENCIES"])
def test_debug_options_tell_where_a_call_form_that_was_looked_up_has_created_it(option):
    setattr(debug.options, option, True)
    create = by_await.asynq
    with recorded() as seen:
        task = create(1)
        line = sys._getframe().f_lineno - 1
        del task
    place = f"(created in {__file__}, line {line})"
    assert messages(seen) == [f"task 'by_await' was never yielded or awaited {place}"]
    assert (seen[0].filename, seen[0].lineno) == (__file__, line)


def test_warnings_that_are_errors_find_it():
    program = """
from asynq import asynq

@asynq()
def leaf(x):
    return x

@asynq()
def forgets():
    leaf.asynq(1)

forgets()
print("goes on")
"""
    # A free-threaded interpreter warns that it enables the GIL.
    options = ["-W", "error", "-W", "ignore:The global interpreter lock:RuntimeWarning"]
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "goes on\n"
    assert "RuntimeWarning: task 'leaf' was never yielded or awaited" in done.stderr


def runs(fn):
    """Returns ways in which a task is not forgotten."""

    @asynq()
    def yielded():
        yield fn.asynq(1)
        yield [fn.asynq(2), (fn.asynq(3),)], {"a": fn.asynq(4)}

    @asynq()
    async def awaited():
        await fn.asynq(1)
        await gather(fn.asynq(2), [fn.asynq(3)])

    @asynq()
    def from_():
        yield from fn.asynq(1)

    return {
        "value": lambda: fn.asynq(1).value(),
        "error": lambda: fn.asynq(1).error(),
        "called": lambda: fn(1),
        "yielded": yielded,
        "awaited": awaited,
        "yielded from": from_,
        "set": lambda: fn.asynq(1).set_value(2),
        "failed": lambda: fn.asynq(1).set_error(KeyError()),
        "asyncio": lambda: asyncio.run(fn.asyncio(1)) if fn is plain else None,
    }


@KINDS
@pytest.mark.parametrize("way", runs(plain))
def test_a_task_that_ran_or_was_set_does_not_warn(fn, way):
    with recorded() as seen:
        runs(fn)[way]()
    assert messages(seen) == []


@KINDS
def test_a_task_that_a_failed_call_left_behind_does_not_warn(fn):
    @asynq()
    def fails():
        raise KeyError("x")
        yield

    @asynq()
    def main():
        yield FutureBase(), fails.asynq(), fn.asynq(1)

    with recorded() as seen, pytest.raises(AsyncTaskError):
        main()
    assert messages(seen) == []


@WITHOUT_COROUTINE
def test_a_task_that_was_not_reached_before_an_error_does_not_warn(fn):
    @asynq()
    def main():
        task = fn.asynq(1)
        yield ErrorFuture(KeyError("x"))
        yield task

    with recorded() as seen:
        with pytest.raises(KeyError):
            main()
        assert isinstance(main.asynq().error(), KeyError)
    assert messages(seen) == []


@WITHOUT_COROUTINE
def test_a_task_whose_neighbour_could_not_be_made_does_not_warn(fn):
    @asynq()
    def main():
        yield [fn.asynq(1), by_yield.asynq(), fn.asynq(2)]

    with recorded() as seen, pytest.raises(TypeError):
        main()
    assert messages(seen) == []


@KINDS
def test_a_task_that_was_yielded_with_something_wrong_does_not_warn(fn):
    @asynq()
    def main():
        yield [fn.asynq(1), 5]

    with recorded() as seen, pytest.raises(TypeError):
        main()
    assert messages(seen) == []


@WITHOUT_COROUTINE
def test_a_task_of_a_task_that_never_ended_does_not_warn(fn):
    @asynq()
    def main():
        task = fn.asynq(1)
        yield FutureBase()
        yield task

    @asynq()
    def outer():
        yield main.asynq(), ErrorFuture(KeyError())

    with recorded() as seen:
        assert outer.asynq().error() is not None
    assert messages(seen) == []


@KINDS
def test_a_warning_does_not_disturb_an_error_that_is_raised(fn):
    @asynq()
    def main():
        fn.asynq(1)
        raise KeyError("x")

    with recorded(), pytest.raises(KeyError, match="x"):
        main()


# yield from


@asynq()
def leaf(x):
    return x


@pytest.mark.parametrize("value", [None, 3])
@pytest.mark.parametrize("make", [list, tuple, set, iter, reversed])
def test_yield_from_a_list_says_what_to_write(make, value):
    @asynq()
    def main():
        return (yield from make([leaf.asynq(value), leaf.asynq(value)]))

    with pytest.raises(TypeError, match=r"yield from .* write `yield \[\.\.\.\]`, without"):
        main()


def test_an_attribute_error_of_the_user_stays():
    @asynq()
    def main():
        yield None
        return (5).send

    with pytest.raises(AttributeError, match="'int' object has no attribute 'send'"):
        main()


# Misuse of coroutines


def test_a_generator_that_yields_a_coroutine_is_told_what_to_yield():
    async def helper():
        return await by_await.asynq(1)

    @asynq()
    def main(awaitable):
        return (yield awaitable)

    coroutine = helper()
    with pytest.raises(
        TypeError, match=r"Yield fn\.asynq\(\.\.\.\) of a .*asynq\.gather\(coroutine\)"
    ):
        main(coroutine)
    assert main(gather(coroutine)) == [2]


def test_a_task_awaited_outside_has_one_error_and_no_warning():
    async def outside():
        await by_await.asynq(1)

    with recorded() as seen, pytest.raises(RuntimeError, match="a coroutine that asynq does not"):
        outside().send(None)
    assert messages(seen) == []


def test_a_class_of_tasks_warns_too():
    def generator():
        yield

    with recorded() as seen:
        AsyncTask(generator(), generator, (), {})
    assert len(seen) == 1
