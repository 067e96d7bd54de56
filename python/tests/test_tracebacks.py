"""The traceback of an error that went through tasks."""

import os
import traceback

import pytest

from asynq import ConstFuture, ErrorFuture, Future, asynq
from asynq.batching import BatchBase, BatchItemBase, DebugBatchItem


class BrokenBatch(BatchBase):
    def _try_switch_active_batch(self):
        pass

    def _flush(self):
        self.connect()

    def connect(self):
        raise OSError("no route")


@asynq()
def inner():
    yield DebugBatchItem()
    raise ValueError("deep")


@asynq()
def middle():
    yield inner.asynq()


@asynq()
def outer():
    yield middle.asynq()


@asynq()
def plain():
    raise ValueError("plain")


@asynq()
def await_once(future):
    return (yield future)


def frames(error):
    """Returns the functions of this file in the traceback of an error, the outermost first."""
    here = os.path.basename(__file__)
    stack = traceback.extract_tb(error.__traceback__)
    return [entry.name for entry in stack if os.path.basename(entry.filename) == here]


def all_frames(error):
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def catch(function, *args):
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


def test_a_failure_three_tasks_deep_shows_the_three_frames_in_order():
    assert frames(catch(outer)) == ["catch", "outer", "middle", "inner"]


def test_frames_of_asynq_itself_are_not_shown():
    error = catch(outer)
    assert all_frames(error) == frames(error)


def test_each_frame_shows_the_line_where_it_waited():
    lines = [entry.line for entry in traceback.extract_tb(catch(outer).__traceback__)]
    assert lines[1:] == ["yield middle.asynq()", "yield inner.asynq()", 'raise ValueError("deep")']


def test_a_plain_function_shows_its_frame():
    @asynq()
    def calls():
        yield plain.asynq()

    assert frames(catch(calls)) == ["catch", "calls", "plain"]


def test_functions_called_by_a_task_are_shown():
    def helper():
        raise ValueError

    @asynq()
    def calls():
        yield None
        helper()

    assert frames(catch(calls)) == ["catch", "calls", "helper"]


def test_a_failure_among_several_shows_its_frames():
    @asynq()
    def gathers():
        yield [ConstFuture(1), {"key": middle.asynq()}]

    assert frames(catch(gathers)) == ["catch", "gathers", "middle", "inner"]


def test_a_synchronous_call_inside_a_task_is_shown():
    @asynq()
    def calls():
        yield None
        return outer()

    assert frames(catch(calls)) == ["catch", "calls", "outer", "middle", "inner"]


def test_an_error_that_a_task_raises_again_is_shown_with_where_it_came_from():
    @asynq()
    def raises_again():
        try:
            yield inner.asynq()
        except ValueError:
            raise

    assert frames(catch(raises_again)) == ["catch", "raises_again", "inner"]


def test_an_error_raised_instead_keeps_the_first_as_its_context():
    @asynq()
    def raises_other():
        try:
            yield inner.asynq()
        except ValueError:
            raise KeyError from None

    error = catch(raises_other)
    assert frames(error) == ["catch", "raises_other"]
    assert frames(error.__context__) == ["raises_other", "inner"]


def test_an_error_raised_from_another_keeps_it_as_its_cause():
    @asynq()
    def raises_from():
        try:
            yield inner.asynq()
        except ValueError as error:
            raise KeyError from error

    error = catch(raises_from)
    assert isinstance(error.__cause__, ValueError)


def test_asking_twice_shows_the_same_frames_twice():
    task = outer.asynq()
    assert frames(catch(task.value)) == frames(catch(task.value))


def test_two_tasks_that_await_one_failure_do_not_see_each_other():
    failing = inner.asynq()

    @asynq()
    def first():
        yield failing

    @asynq()
    def second():
        yield failing

    @asynq()
    def both():
        for each in (first, second):
            try:
                yield each.asynq()
            except ValueError as error:
                seen.append(frames(error))

    seen = []
    both()
    assert seen == [["both", "first", "inner"], ["both", "second", "inner"]]


def test_an_error_of_a_flush_shows_the_flush():
    class Item(BatchItemBase):
        pass

    error = catch(await_once, Item(BrokenBatch()))
    assert frames(error) == ["catch", "await_once", "_flush", "connect"]


def test_an_error_of_a_value_provider_shows_it():
    def provide():
        raise ValueError

    assert frames(catch(await_once, Future(provide))) == ["catch", "await_once", "provide"]


def test_an_error_future_made_of_a_caught_error_shows_where_that_was_raised():
    def helper():
        raise ValueError

    future = ErrorFuture(catch(helper))
    assert frames(catch(await_once, future)) == ["catch", "await_once", "catch", "helper"]


def test_an_error_that_was_never_raised_shows_where_it_was_awaited():
    assert frames(catch(await_once, ErrorFuture(ValueError()))) == ["catch", "await_once"]


def test_the_traceback_does_not_grow_with_the_number_of_awaits():
    error = ValueError()
    catch(await_once, ErrorFuture(error))
    once = len(all_frames(error))
    failing = ErrorFuture(ValueError())
    for _ in range(10):
        error = catch(await_once, failing)
    assert len(all_frames(error)) == once


# The task that failed


def test_an_error_knows_the_task_that_failed_first():
    assert catch(outer)._task.fn.__name__ == "inner"


def test_the_asynq_stack_of_a_failed_task_has_a_line_for_each_task():
    entries = [entry.splitlines() for entry in catch(outer)._task.traceback()]
    assert [place.rpartition(" in ")[2] for place, _ in entries] == ["outer", "middle", "inner"]
    assert [line.strip() for _, line in entries] == [
        "yield middle.asynq()",
        "yield inner.asynq()",
        'raise ValueError("deep")',
    ]


def test_the_asynq_stack_names_files_and_line_numbers():
    (entry,) = catch(inner)._task.traceback()
    line_number = inner.fn.__code__.co_firstlineno + 3
    assert entry.startswith(f'File "{__file__}", line {line_number}, in inner\n')


def test_the_stack_of_a_task_that_succeeded_shows_its_value():
    task = await_once.asynq(ConstFuture(1))
    task.value()
    (entry,) = task.traceback()
    assert entry.startswith(f"@asynq {__name__}.await_once(")
    assert entry.endswith("(computed, = 1, passed yield #1)")


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_stack_entry_that_fails_is_replaced_by_the_text_of_the_task():
    class Task(type(inner.asynq())):
        def _traceback_line(self):
            raise KeyError

    @asynq(cls=Task)
    def nameless():
        yield None

    (entry,) = nameless.asynq().traceback()
    assert entry == f"@asynq {nameless_name(nameless)}() (waiting, before 1st yield)"


def nameless_name(function):
    return f"{function.fn.__module__}.{function.fn.__name__}"


@pytest.mark.parametrize("error_class", [KeyboardInterrupt, SystemExit])
def test_errors_that_end_a_program_show_their_frames(error_class):
    @asynq()
    def interrupted():
        yield DebugBatchItem()
        raise error_class

    assert frames(catch(await_once, interrupted.asynq())) == ["catch", "await_once", "interrupted"]
