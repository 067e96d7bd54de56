"""The behaviour of flushes, and the state of the items afterwards."""

import pytest

from asynq import asynq, get_active_task


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


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
