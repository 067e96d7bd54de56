import threading

import pytest

from asynq import BatchCancelledError, asynq, batching, debug, get_scheduler
from asynq.batching import DebugBatch, DebugBatchItem


@pytest.fixture(autouse=True)
def no_batches_of_other_tests(monkeypatch):
    monkeypatch.setattr(batching, "_debug_batch_state", batching.LocalDebugBatchState())


@pytest.fixture
def flushed():
    """Returns the batches that are flushed during the test, as (name, index)."""
    batches = []

    def note(batch):
        batches.append((batch.name, batch.index))

    hook = get_scheduler().on_after_batch_flush
    hook.subscribe(note)
    yield batches
    hook.unsubscribe(note)


def test_an_item_has_the_result_that_it_was_made_with():
    assert DebugBatchItem("somewhere", result=42).value() == 42


def test_an_item_has_the_result_none_by_default():
    assert DebugBatchItem().value() is None


def test_items_of_one_name_share_a_batch():
    assert DebugBatchItem("a").batch is DebugBatchItem("a").batch


def test_items_of_different_names_have_different_batches():
    assert DebugBatchItem("a").batch is not DebugBatchItem("b").batch


def test_items_are_numbered_in_their_batch():
    items = [DebugBatchItem() for _ in range(3)]
    assert [item.index for item in items] == [0, 1, 2]


def test_after_a_flush_items_join_the_next_batch():
    first = DebugBatchItem("a")
    first.value()
    second = DebugBatchItem("a")
    assert (first.batch.index, second.batch.index) == (0, 1)


def test_the_items_that_tasks_await_together_are_flushed_together(flushed):
    @asynq()
    def one(number):
        return (yield DebugBatchItem("numbers", number))

    @asynq()
    def all_of(numbers):
        return (yield [one.asynq(number) for number in numbers])

    assert all_of([1, 2, 3]) == [1, 2, 3]
    assert flushed == [("numbers", 0)]


def test_cancelling_a_batch_cancels_its_items():
    item = DebugBatchItem()
    item.batch.cancel()
    with pytest.raises(BatchCancelledError):
        item.value()


def test_after_a_cancellation_items_join_the_next_batch():
    cancelled = DebugBatchItem()
    cancelled.batch.cancel()
    assert DebugBatchItem(result=42).value() == 42


def test_a_batch_outside_of_its_name_leaves_the_open_batch_alone():
    opened = DebugBatchItem("a").batch
    DebugBatch("a").flush()
    assert DebugBatchItem("a").batch is opened


def test_each_thread_has_batches_of_its_own():
    batches = [DebugBatchItem().batch]
    thread = threading.Thread(target=lambda: batches.append(DebugBatchItem().batch))
    thread.start()
    thread.join()
    assert batches[0] is not batches[1]


def test_sync_lets_tasks_meet():
    log = []

    @asynq()
    def runner(name, steps):
        for step in range(steps):
            yield None
            log.append(f"{name}{step}")
        yield debug.sync()
        log.append(f"{name} met")

    @asynq()
    def race():
        yield runner.asynq("a", 1), runner.asynq("b", 2)

    race()
    assert log == ["a0", "b0", "b1", "a met", "b met"]


def test_tasks_that_sync_on_different_tags_do_not_share_a_batch(flushed):
    @asynq()
    def meet(tag):
        yield debug.sync(tag)

    @asynq()
    def both():
        yield meet.asynq("a"), meet.asynq("b")

    both()
    assert flushed == [("sync-a", 0), ("sync-b", 0)]


def test_dump_sync_writes_what_is_flushed(monkeypatch, capsys):
    monkeypatch.setattr(debug.options, "DUMP_SYNC", True)
    DebugBatchItem("a").value()
    assert capsys.readouterr().out == "@async.debug.sync: flushing batch 'a' (0)\n"


def test_dump_sync_writes_what_is_cancelled(monkeypatch, capsys):
    monkeypatch.setattr(debug.options, "DUMP_SYNC", True)
    DebugBatchItem("a").batch.cancel()
    assert capsys.readouterr().out == "@async.debug.sync: cancelling batch 'a' (0)\n"


def test_a_batch_is_shown_with_its_state_and_size():
    batch = DebugBatchItem().batch
    assert str(batch) == batch.to_str() == "asynq.batching.DebugBatch (pending, 1 items)"
    batch.flush()
    assert str(batch) == "asynq.batching.DebugBatch (flushed, 0 items)"


def test_a_cancelled_batch_is_shown_as_such():
    batch = DebugBatchItem().batch
    batch.cancel()
    assert str(batch) == "asynq.batching.DebugBatch (cancelled, 1 items)"


def test_dump_writes_a_batch_with_its_items(capsys):
    DebugBatchItem().batch.dump()
    assert capsys.readouterr().out == (
        "asynq.batching.DebugBatch (pending, 1 items)\n"
        "  Priority: (0, 1)\n"
        "  Items:\n"
        "    <class 'asynq.batching.DebugBatchItem'> (isn't computed)\n"
    )


def test_dump_writes_that_a_batch_is_empty(capsys):
    DebugBatch().dump(1)
    assert capsys.readouterr().out == (
        "  asynq.batching.DebugBatch (pending, 0 items)\n    Priority: (0, 0)\n    No items.\n"
    )


def test_an_item_is_named_by_its_id_and_text():
    class Item(DebugBatchItem):
        def __str__(self):
            return "an item"

    assert Item().to_str() == "000000.an item"
