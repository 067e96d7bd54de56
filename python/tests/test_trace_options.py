"""The output of the `DUMP_*` options."""

import sys

import pytest

from asynq import AsyncContext, FutureBase, asynq, debug, get_scheduler
from asynq.batching import DebugBatchItem


class Context(AsyncContext):
    def __str__(self):
        return "Context"

    def pause(self):
        pass

    def resume(self):
        pass


@asynq()
def leaf(x):
    with Context():
        return (yield DebugBatchItem("traced", x))


@asynq()
def pair():
    return (yield leaf.asynq(1), leaf.asynq(2))


@asynq()
def fails():
    yield None
    raise KeyError("x")


@pytest.fixture
def written(monkeypatch, capsys):
    """Runs a function with some options on. Returns the output lines, shortened."""

    def run(function, *names):
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(debug.options, name, True)
            function()
        text = capsys.readouterr().out.replace(f"{__name__}.", "")
        return text.replace("<class 'asynq.batching.DebugBatchItem'>", "Item").splitlines()

    return run


def test_nothing_is_written_by_default(written):
    assert written(pair) == []


def test_new_tasks(written):
    assert written(pair, "DUMP_NEW_TASKS") == [
        "@async: new task: @asynq pair() (waiting, before 1st yield), created by None",
        "@async: new task: @asynq leaf(1) (waiting, before 1st yield), "
        "created by @asynq pair() (waiting, before 1st yield)",
        "@async: new task: @asynq leaf(2) (waiting, before 1st yield), "
        "created by @asynq pair() (waiting, before 1st yield)",
    ]


def test_computed_futures(written):
    assert written(lambda: leaf(1), "DUMP_COMPUTED") == [
        "@async: computed Item (computed, = 1)",
        "@async: computed asynq.batching.DebugBatch (flushed, 1 items)",
        "@async: computed @asynq leaf(1) (computed, = 1, passed yield #1)",
    ]


def test_yielded_values(written):
    assert written(lambda: leaf(1), "DUMP_YIELD_RESULTS") == [
        "@async: yield: @asynq leaf(1) (waiting, before 1st yield) -> Item (isn't computed)",
    ]


def test_results(written):
    assert written(lambda: leaf(1), "DUMP_QUEUED_RESULTS") == [
        "@async: queuing exit: 1 <- "
        "@asynq leaf(1) (almost finished (generator is closed), passed yield #1)",
    ]


def test_errors_as_results(written):
    assert written(lambda: fails.asynq().error(), "DUMP_QUEUED_RESULTS") == [
        "@async: queuing throw error: KeyError('x') <-x- "
        "@asynq fails() (almost finished (generator is closed), passed yield #1)",
    ]


def test_errors_with_their_tracebacks(monkeypatch, capsys):
    monkeypatch.setattr(debug.options, "DUMP_EXCEPTIONS", True)
    fails.asynq().error()
    text = capsys.readouterr().err
    assert "Traceback (most recent call last):" in text
    assert "KeyError: 'x'" in text


def test_steps_of_tasks(written):
    lines = written(lambda: leaf(1), "DUMP_CONTINUE_TASK")
    assert [line for line in lines if "skipping" not in line] == [
        "@async: -> continuing @asynq leaf(1) (waiting, before 1st yield)",
        "@async: <- continued @asynq leaf(1) (blocked x1, before 1st yield)",
        "@async: -> continuing @asynq leaf(1) (waiting, before 1st yield)",
        "@async: <- continued @asynq leaf(1) (computed, = 1, passed yield #1)",
    ]


def test_what_tasks_begin_to_wait_for(written):
    (line,) = written(lambda: leaf(1), "DUMP_DEPENDENCIES")
    assert line.startswith("@async: +dependency: @asynq leaf(1) (")
    assert line.endswith(") needs Item (isn't computed)")


def test_scheduled_tasks(written):
    lines = written(pair, "DUMP_SCHEDULE_TASK")
    assert "@async: scheduling task @asynq leaf(1) (waiting, before 1st yield)" in lines
    assert "@async: scheduling task @asynq leaf(2) (waiting, before 1st yield)" in lines


def test_scheduled_batches(written):
    assert written(lambda: leaf(1), "DUMP_SCHEDULE_BATCH") == [
        "@async: scheduling batch asynq.batching.DebugBatch (pending, 1 items)",
    ]


def test_a_batch_is_written_as_scheduled_once(written):
    assert len(written(pair, "DUMP_SCHEDULE_BATCH")) == 1


def test_flushes(written):
    assert written(lambda: leaf(1), "DUMP_FLUSH_BATCH") == [
        "@async: -> batch flush:",
        "        asynq.batching.DebugBatch (pending, 1 items)",
        "          Priority: (0, 1)",
        "          Items:",
        "            Item (isn't computed)",
        "@async: <- batch flushed: asynq.batching.DebugBatch (flushed, 0 items)",
    ]


def test_flushes_with_the_stack(written):
    lines = written(lambda: leaf(1), "DUMP_FLUSH_BATCH", "DUMP_STACK")
    begin = next(i for i, line in enumerate(lines) if line.startswith("--- Stack trace: ---"))
    assert any(
        line.endswith(f"in {test_flushes_with_the_stack.__name__}") for line in lines[begin:]
    )


def test_contexts(written):
    assert written(lambda: leaf(1), "DUMP_CONTEXTS") == [
        "@async: +context: Context",
        "@async: -context: Context",
    ]


def test_synchronous_calls(written):
    @asynq()
    def caller():
        yield None
        return leaf(1)

    (line,) = written(caller, "DUMP_SYNC_CALLS")
    assert line.startswith(
        "@async: @asynq leaf(1) (waiting, before 1st yield) called synchronously"
    )
    assert line.endswith("caller() (waiting, passed yield #1)")


def test_calls_from_outside_are_not_written_as_synchronous_calls(written):
    assert written(pair, "DUMP_SYNC_CALLS") == []


def test_the_state_of_the_scheduler_is_written_once_an_interval(written, monkeypatch):
    monkeypatch.setattr(debug.options, "SCHEDULER_STATE_DUMP_INTERVAL", 1000)
    get_scheduler()._last_dump_time = 0
    lines = written(pair, "DUMP_SCHEDULER_STATE")
    assert sum("Scheduler state dump:" in line for line in lines) == 1


def test_all_options_together_change_no_value(monkeypatch, capsys):
    debug.DUMP_ALL(True)
    assert pair() == (1, 2)


def test_what_cannot_be_shown_does_not_disturb(written):
    class Shy:
        def __str__(self):
            raise RuntimeError("no")

        __repr__ = __str__

    @asynq()
    def shy(value):
        yield None
        return value

    value = Shy()
    results = []
    lines = written(lambda: results.append(shy(value)), "DUMP_NEW_TASKS", "DUMP_COMPUTED")
    assert results == [value]
    assert lines[0].startswith("@async: new task: ")


def test_long_texts_are_cut(written, monkeypatch):
    monkeypatch.setattr(debug.options, "DEBUG_STR_REPR_MAX_LENGTH", 12)
    (line,) = written(lambda: leaf(1), "DUMP_YIELD_RESULTS")
    assert line.startswith("@async: yield: @asynq te... -> ")


def test_a_failing_output_does_not_disturb(monkeypatch):
    class Broken:
        def write(self, text):
            raise OSError("disk full")

        def flush(self):
            pass

    unraisable = []
    monkeypatch.setattr(debug.options, "DUMP_NEW_TASKS", True)
    monkeypatch.setattr(debug, "stdout", Broken())
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    assert pair() == (1, 2)
    assert {str(each.exc_value) for each in unraisable} == {"disk full"}


def test_a_failing_subscriber_is_written(capsys):
    def handler(future):
        raise KeyError("x")

    future = FutureBase()
    future.on_computed.subscribe(handler)
    future.set_value(1)
    written = capsys.readouterr()
    assert written.out == "exception ignored in asynq on_computed callback: KeyError('x')\n"
    assert "in handler" in written.err
