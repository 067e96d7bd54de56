"""Rounds: the keys that are sent together, and the batch that is flushed first."""

import pytest

from asynq import asynq


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


# The batch that is flushed first.


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
