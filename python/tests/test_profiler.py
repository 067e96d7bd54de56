import threading

import pytest

from asynq import asynq, debug, profiler
from asynq.batching import DebugBatchItem


@pytest.fixture
def collecting(monkeypatch):
    monkeypatch.setattr(debug.options, "COLLECT_PERF_STATS", True)
    monkeypatch.setattr(debug.options, "KEEP_DEPENDENCIES", True)


@asynq()
def leaf(name):
    return (yield DebugBatchItem("profiled", name))


@asynq()
def tree(names):
    first = yield leaf.asynq(names[0])
    rest = yield [leaf.asynq(name) for name in names[1:]]
    return [first, *rest]


def rows_named(text):
    return [row for row in profiler.flush() if text in row["name"]]


def test_flush_returns_the_rows_and_forgets_them():
    profiler.append({"name": "a"})
    profiler.append({"name": "b"})
    assert profiler.flush() == [{"name": "a"}, {"name": "b"}]
    assert profiler.flush() == []


def test_reset_forgets_the_rows():
    profiler.append({})
    profiler.reset()
    assert profiler.flush() == []


def test_ids_count_from_one():
    assert [profiler.incr_counter() for _ in range(3)] == [1, 2, 3]


def test_flush_starts_the_ids_anew():
    profiler.incr_counter()
    profiler.flush()
    assert profiler.incr_counter() == 1


def test_each_thread_has_rows_of_its_own():
    flushed = []

    def run():
        profiler.append("theirs")
        flushed.append(profiler.flush())

    profiler.append("ours")
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert flushed == [["theirs"]]
    assert profiler.flush() == ["ours"]


def test_nothing_is_collected_by_default():
    tree("abc")
    assert profiler.flush() == []


def test_every_task_has_a_row(collecting):
    tree("abc")
    assert len(rows_named("leaf")) == 3


def test_every_flushed_batch_has_a_row(collecting):
    tree("abc")
    assert len(rows_named("DebugBatch (flushed")) == 2


def test_a_row_says_what_it_is_about(collecting):
    leaf("a")
    batch, task = profiler.flush()
    assert set(batch) == {"name", "time_taken", "dependencies"}
    assert set(task) == {"name", "time_taken", "dependencies", "num_deps"}


def test_a_task_is_named_by_its_id_and_call(collecting):
    leaf("a")
    (row,) = rows_named("leaf")
    assert row["name"] == f"000001.{__name__}.leaf(('a',) {{}})"


def test_a_task_lists_everything_it_waited_for(collecting):
    tree("abc")
    (row,) = rows_named("tree")
    assert row["num_deps"] == 3
    assert [name.partition(".")[2] for name, _ in row["dependencies"]] == [
        f"{__name__}.leaf(({name!r},) {{}})" for name in "abc"
    ]


def test_a_batch_lists_its_items(collecting):
    tree("abc")
    sizes = [len(row["dependencies"]) for row in rows_named("DebugBatch")]
    assert sizes == [1, 2]


def test_times_are_whole_numbers(collecting):
    tree("abc")
    assert all(isinstance(row["time_taken"], int) for row in profiler.flush())


def test_a_failed_task_has_a_row(collecting):
    @asynq()
    def fails():
        yield leaf.asynq("a")
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert len(rows_named("fails")) == 1


def test_without_kept_dependencies_the_rows_are_still_there(collecting, monkeypatch):
    monkeypatch.setattr(debug.options, "KEEP_DEPENDENCIES", False)
    tree("abc")
    assert len(rows_named("leaf")) == 3


def test_perf_stats_of_a_task_are_its_row(collecting):
    task = leaf.asynq("a")
    task.value()
    assert task.perf_stats in profiler.flush()


def test_arguments_that_cannot_be_shown_are_left_out_of_the_name(collecting):
    class Secret:
        def __repr__(self):
            raise RuntimeError("no")

    leaf(Secret())
    assert len(rows_named(f"{__name__}.leaf")) == 1


def test_a_finished_task_forgets_what_it_waited_for(collecting):
    task = leaf.asynq("a")
    task.value()
    assert task._dependencies == []
