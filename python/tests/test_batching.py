import pytest
from asynq import (
    BatchBase,
    BatchCancelledError,
    BatchingError,
    BatchItemBase,
    asynq,
    get_active_task,
)


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


# Batching.


def test_the_keys_of_tasks_that_wait_together_leave_together(source):
    assert look_up_all(source, [1, 2, 3]) == [2, 4, 6]
    assert source.flushed == [[1, 2, 3]]


def test_everything_runnable_runs_before_a_flush(log, source):
    @asynq()
    def slow(steps):
        for step in range(steps):
            log.append(step)
            yield None
        return (yield source.item("x"))

    @asynq()
    def main():
        yield slow.asynq(1), slow.asynq(3)

    main()
    assert log == [0, 0, 1, 2, ("source", ["x", "x"])]


def test_what_is_asked_for_after_a_flush_goes_into_the_next(source):
    @asynq()
    def twice(x):
        y = yield source.item(x)
        return (yield source.item(y))

    @asynq()
    def main():
        return (yield [twice.asynq(x) for x in (1, 2, 3)])

    assert main() == [4, 8, 12]
    assert source.flushed == [[1, 2, 3], [2, 4, 6]]


def test_calls_one_after_the_other_do_not_share_a_batch(source):
    look_up_all(source, [1, 2])
    look_up_all(source, [3])
    assert source.flushed == [[1, 2], [3]]


def test_several_items_of_one_task_share_a_batch(source):
    @asynq()
    def main():
        return (yield {key: source.item(key) for key in (1, 2, 3)})

    assert main() == {1: 2, 2: 4, 3: 6}
    assert source.flushed == [[1, 2, 3]]


def test_an_item_that_nobody_awaits_leaves_with_its_batch(source):
    @asynq()
    def main():
        forgotten = source.item("forgotten")
        yield source.item("wanted")
        return forgotten.is_computed()

    assert main() is True
    assert source.flushed == [["forgotten", "wanted"]]


def test_a_batch_that_nobody_awaits_is_not_flushed(source):
    @asynq()
    def main():
        source.item("forgotten")
        yield None

    main()
    assert source.flushed == []


def test_an_item_made_outside_can_be_awaited(source):
    item = source.item(21)

    @asynq()
    def main():
        return (yield item, source.item(1))

    assert main() == (42, 2)
    assert source.flushed == [[21, 1]]


def test_an_item_that_several_tasks_await_is_asked_for_once(source):
    @asynq()
    def wait_for(item):
        return (yield item)

    @asynq()
    def main():
        item = source.item(21)
        return (yield wait_for.asynq(item), item, wait_for.asynq(item))

    assert main() == (42, 42, 42)
    assert source.flushed == [[21]]


def test_an_item_with_a_value_needs_no_flush(source):
    item = source.item(1)
    item.set_value("known")

    @asynq()
    def main():
        return (yield item)

    assert main() == "known"
    assert source.flushed == []


# Which batch is flushed first.


def test_the_larger_batch_is_flushed_first(new_source, log):
    small, large = new_source("small"), new_source("large")

    @asynq()
    def main():
        yield small.item(1), large.item(2), large.item(3)

    main()
    assert log == [("large", [2, 3]), ("small", [1])]


def test_among_equal_batches_the_one_opened_first_is_flushed_first(new_source, log):
    sources = [new_source(name) for name in "abcde"]

    @asynq()
    def main():
        yield [source.item(1) for source in sources]

    main()
    assert [name for name, _ in log] == list("abcde")


def test_the_batch_of_higher_priority_is_flushed_first(new_source, log):
    sources = [new_source(str(priority), priority=priority) for priority in (2, 3, 1)]

    @asynq()
    def main():
        yield [source.item(1) for source in sources]

    main()
    assert [name for name, _ in log] == ["3", "2", "1"]


def test_a_priority_counts_more_than_the_number_of_items(new_source, log):
    large, urgent = new_source("large"), new_source("urgent", priority=(1, 0))

    @asynq()
    def main():
        yield [large.item(key) for key in (1, 2, 3)], urgent.item(4)

    main()
    assert [name for name, _ in log] == ["urgent", "large"]


def test_a_priority_that_has_changed_counts_at_the_next_flush(new_source, log):
    first = new_source("first", priority=3)
    second, third = new_source("second", priority=2), new_source("third", priority=1)

    def answer(item):
        third.priority = 4
        item.set_value(None)

    first.answer = answer

    @asynq()
    def main():
        yield first.item(1), second.item(2), third.item(3)

    main()
    assert [name for name, _ in log] == ["first", "third", "second"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (1, 2),
        (1.5, 2),
        (-(10**30), 0),
        ("a", "b"),
        ((0, "z"), (1, "a")),
        ((1,), (1, 0)),
        ([1, 2], [1, 3]),
        (False, True),
        ((0, (1, 2)), (0, (1, 3))),
    ],
)
def test_priorities_compare_as_in_python(new_source, log, low, high):
    a, b = new_source("low", priority=low), new_source("high", priority=high)

    @asynq()
    def main():
        yield a.item(1), b.item(2)

    main()
    assert [name for name, _ in log] == ["high", "low"]


def test_a_priority_that_cannot_be_asked_for_is_the_error_of_the_items(new_source):
    class Unsure(Exception):
        pass

    def fail():
        raise Unsure

    source = new_source("source", priority=1)
    source.open.get_priority = fail

    @asynq()
    def main():
        try:
            yield source.item(1)
        except Unsure:
            return (yield source.item(2))

    assert main() == 4
    assert source.flushed == [[2]]


def test_the_default_priority_is_the_number_of_items(source):
    batch = source.open
    assert batch.get_priority() == (0, 0)
    source.item(1)
    assert batch.get_priority() == (0, 1)


# A flush.


def test_a_flush_sees_the_items_in_the_order_in_which_they_were_made(source):
    @asynq()
    def main():
        items = [source.item(key) for key in "abc"]
        yield items[::-1]

    main()
    assert source.flushed == [["a", "b", "c"]]


def test_an_error_in_a_flush_is_the_error_of_each_item(new_source):
    class Down(Exception):
        pass

    def fail(item):
        raise Down

    source = new_source("source", answer=fail)

    @asynq()
    def wait_for(key):
        try:
            yield source.item(key)
        except Down as error:
            return error

    @asynq()
    def main():
        return (yield wait_for.asynq(1), wait_for.asynq(2))

    first, second = main()
    assert first is second
    assert type(first) is Down


def test_items_answered_before_the_flush_failed_keep_their_values(new_source):
    class Down(Exception):
        pass

    def answer(item):
        if item.key == 2:
            raise Down
        item.set_value("answered")

    source = new_source("source", answer=answer)

    @asynq()
    def main():
        first, second = source.item(1), source.item(2)
        try:
            yield second
        except Down:
            return (yield first)

    assert main() == "answered"


def test_an_item_can_fail_alone(new_source):
    def answer(item):
        item.set_error(KeyError(item.key)) if item.key == 2 else item.set_value(item.key)

    source = new_source("source", answer=answer)

    @asynq()
    def wait_for(key):
        try:
            return (yield source.item(key))
        except KeyError:
            return "missing"

    @asynq()
    def main():
        return (yield [wait_for.asynq(key) for key in (1, 2, 3)])

    assert main() == [1, "missing", 3]


def test_an_item_that_the_flush_forgot_gets_an_error(new_source):
    source = new_source("source", answer=lambda item: None)
    with pytest.raises(AssertionError, match="Value of this item wasn't set on batch flush"):
        look_up(source, 1)


def test_a_flush_that_forgot_an_item_did_not_fail(new_source):
    source = new_source("source", answer=lambda item: None)
    item = source.item(1)
    batch = item.batch
    item.error()
    assert batch.is_flushed()
    assert not batch.is_cancelled()


def test_items_made_during_a_flush_go_into_the_next(new_source):
    made = []
    source = new_source("source")

    def answer(item):
        if item.key == 1:
            made.append(source.item(2))
        item.set_value(item.key)

    source.answer = answer
    look_up(source, 1)
    assert source.flushed == [[1]]
    assert made[0].value() == 2
    assert source.flushed == [[1], [2]]


def test_a_flush_finds_its_batch_not_yet_flushed(new_source):
    seen = []
    source = new_source("source")

    def answer(item):
        seen.append(item.batch.is_flushed())
        item.set_value(None)

    source.answer = answer
    look_up(source, 1)
    assert seen == [False]


def test_no_task_is_active_in_a_flush(new_source):
    seen = []
    source = new_source("source")

    def answer(item):
        seen.append(get_active_task())
        item.set_value(None)

    source.answer = answer
    look_up(source, 1)
    assert seen == [None]


def test_a_flush_may_answer_items_of_another_batch(new_source, log):
    second = new_source("second", priority=1)
    items = []

    def answer_both(item):
        item.set_value("first")
        items[0].set_value("second, by the first")

    first = new_source("first", priority=2, answer=answer_both)

    @asynq()
    def main():
        items.append(second.item(2))
        return (yield first.item(1), items[0])

    assert main() == ("first", "second, by the first")
    assert log[0] == ("first", [1])


def test_a_flush_may_flush_another_batch(new_source, log):
    second = new_source("second", priority=1)
    items = []
    first = new_source("first", priority=2, answer=lambda item: item.set_value(items[0].value()))

    @asynq()
    def main():
        items.append(second.item(21))
        return (yield first.item(1), items[0])

    assert main() == (42, 42)
    assert log == [("first", [1]), ("second", [21])]


def test_ten_thousand_items_are_flushed_at_once(source):
    assert look_up_all(source, range(10_000)) == list(range(0, 20_000, 2))
    assert source.flushed == [list(range(10_000))]


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
