"""Batches and items used without a task: flushed, cancelled and inspected."""

import pytest

from asynq import BatchBase, BatchCancelledError, BatchingError, BatchItemBase, asynq


@asynq()
def look_up(source, key):
    return (yield source.item(key))


# Without the scheduler.


def test_the_value_of_an_item_flushes_its_batch(source):
    first, second = source.item(1), source.item(2)
    assert first.value() == 2
    assert second.is_computed()
    assert source.flushed == [[1, 2]]


def test_the_error_of_an_item_flushes_its_batch(source):
    assert source.item(1).error() is None
    assert source.flushed == [[1]]


def test_the_value_of_an_item_in_a_task_flushes_its_batch_at_once(source):
    @asynq()
    def waits():
        return (yield source.item(1))

    @asynq()
    def asks():
        yield None
        return source.item(2).value()

    @asynq()
    def main():
        return (yield waits.asynq(), asks.asynq())

    assert main() == (2, 4)
    assert source.flushed == [[1, 2]]


def test_flush_flushes_the_batch(source):
    item = source.item(1)
    item.batch.flush()
    assert item.is_computed()


def test_the_value_of_a_batch_flushes_it(source):
    batch = source.item(1).batch
    assert batch.value() is None
    assert source.flushed == [[1]]


def test_flush_raises_no_error_of_the_flush(new_source):
    def fail(item):
        raise KeyError("x")

    source = new_source("source", answer=fail)
    batch = source.item(1).batch
    batch.flush()
    assert batch.is_cancelled()


def test_the_value_of_a_batch_raises_the_error_of_the_flush(new_source):
    def fail(item):
        raise KeyError("x")

    source = new_source("source", answer=fail)
    with pytest.raises(KeyError):
        source.item(1).batch.value()


def test_a_batch_cannot_be_flushed_twice(source):
    batch = source.item(1).batch
    batch.flush()
    with pytest.raises(BatchingError, match="Batch is already flushed or cancelled"):
        batch.flush()


def test_a_batch_can_be_awaited(source):
    @asynq()
    def main():
        item = source.item(1)
        yield item.batch
        return item.is_computed()

    assert main() is True


def test_an_empty_batch_can_be_flushed(source):
    source.open.flush()
    assert source.flushed == [[]]


# Cancellation.


def test_cancelling_a_batch_fails_its_items(source):
    item = source.item(1)
    item.batch.cancel()
    with pytest.raises(BatchCancelledError):
        item.value()


def test_a_cancelled_batch_is_flushed_and_cancelled(source):
    batch = source.open
    batch.cancel()
    assert batch.is_flushed()
    assert batch.is_cancelled()


def test_a_batch_can_be_cancelled_with_an_error_of_choice(source):
    item, error = source.item(1), KeyError("x")
    item.batch.cancel(error)
    assert item.error() is error


def test_cancelling_twice_does_nothing(source):
    batch, error = source.open, KeyError("x")
    batch.cancel(error)
    batch.cancel()
    assert batch.error() is error


def test_cancelling_a_flushed_batch_does_nothing(source):
    item = source.item(1)
    batch = item.batch
    batch.flush()
    batch.cancel()
    assert not batch.is_cancelled()
    assert item.value() == 2


def test_a_cancelled_batch_cannot_be_flushed(source):
    batch = source.open
    batch.cancel()
    with pytest.raises(BatchingError, match="Batch is already flushed or cancelled"):
        batch.flush()


def test_after_a_cancellation_another_batch_takes_the_items(source):
    source.open.cancel()
    assert source.item(1).value() == 2


def test_items_with_a_value_keep_it_when_their_batch_is_cancelled(source):
    item = source.item(1)
    item.set_value("known")
    item.batch.cancel()
    assert item.value() == "known"


def test_a_batch_is_told_that_it_is_cancelled(log):
    class Told(BatchBase):
        def _try_switch_active_batch(self):
            log.append("switch")

        def _cancel(self):
            log.append("cancel")

    Told().cancel()
    assert log == ["switch", "cancel"]


def test_a_batch_whose_flush_fails_is_told_that_it_is_cancelled(log):
    class Told(BatchBase):
        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            raise KeyError("x")

        def _cancel(self):
            log.append(type(self.error()))

    Told().flush()
    assert log == [KeyError]


def test_a_flush_may_cancel_its_batch(new_source):
    class Closed(Exception):
        pass

    source = new_source("source", answer=lambda item: item.batch.cancel(Closed()))

    @asynq()
    def wait_for(key):
        try:
            yield source.item(key)
        except Closed:
            return "closed"

    @asynq()
    def main():
        return (yield wait_for.asynq(1), wait_for.asynq(2))

    assert main() == ("closed", "closed")


def test_a_task_may_cancel_a_batch_that_others_wait_for(source):
    @asynq()
    def waits():
        try:
            yield source.item(1)
        except BatchCancelledError:
            return "cancelled"

    @asynq()
    def cancels():
        source.open.cancel()
        yield None

    @asynq()
    def main():
        return (yield waits.asynq(), cancels.asynq())

    assert main() == ("cancelled", None)
    assert source.flushed == []


def test_batch_cancelled_is_a_batching_error():
    assert issubclass(BatchCancelledError, BatchingError)


# Attributes.


def test_an_item_knows_its_batch(source):
    batch = source.open
    assert source.item(1).batch is batch


def test_an_item_knows_its_place_in_the_batch(source):
    assert [source.item(key).index for key in "abc"] == [0, 1, 2]


def test_a_batch_knows_its_items(source):
    items = [source.item(key) for key in "abc"]
    assert source.open.items == items


def test_a_flushed_batch_has_let_go_of_its_items(source):
    batch = source.item(1).batch
    batch.flush()
    assert batch.items == []


def test_a_new_batch_is_empty(source):
    assert source.open.is_empty()


def test_a_batch_with_an_item_is_not_empty(source):
    source.item(1)
    assert not source.open.is_empty()


def test_a_new_batch_is_neither_flushed_nor_cancelled(source):
    assert not source.open.is_flushed()
    assert not source.open.is_cancelled()


def test_a_flushed_batch_is_flushed_but_not_cancelled(source):
    batch = source.item(1).batch
    batch.flush()
    assert batch.is_flushed()
    assert not batch.is_cancelled()


def test_a_flushed_batch_has_the_value_none(source):
    batch = source.item(1).batch
    batch.flush()
    assert batch.value() is None


def test_items_cannot_be_added_to_a_flushed_batch(source):
    batch = source.item(1).batch
    batch.flush()
    with pytest.raises(AssertionError, match="already flushed"):
        BatchItemBase(batch)


def test_who_subscribed_to_a_batch_finds_its_items_computed(source, log):
    item = source.item(1)
    item.batch.on_computed.subscribe(lambda batch: log.append(item.is_computed()))
    item.value()
    assert log[-1] is True


def test_a_batch_may_keep_its_items_in_a_list_of_its_own(log):
    class Sorted(BatchBase):
        def __init__(self):
            super().__init__()
            self.items = []

        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            self.items.sort(key=lambda item: item.key)
            for item in self.items:
                log.append(item.key)
                item.set_value(item.key)

    class Key(BatchItemBase):
        def __init__(self, batch, key):
            super().__init__(batch)
            self.key = key

    batch = Sorted()

    @asynq()
    def main():
        return (yield [Key(batch, key) for key in (3, 1, 2)])

    assert main() == [3, 1, 2]
    assert log == [1, 2, 3]
