"""Tasks, futures and batches of several greenlets: some are shared, the others belong to one."""

import pytest
from conftest import Source
from pausing import Pausing, loaded, look_up, pausing_source

import asynq
from asynq import FutureBase
from asynq._delay import delay


@loaded
def test_a_task_that_another_greenlet_runs_cannot_be_awaited():
    greenlets = Pausing()
    source = pausing_source(greenlets)
    task = look_up.asynq(source, 1)

    @asynq.asynq()
    def awaits():
        return (yield task)

    def fails():
        with pytest.raises(RuntimeError, match="another thread or greenlet is running this"):
            awaits()

    assert greenlets.run(task.value, fails) == [2, None]


@loaded
def test_a_future_that_another_greenlet_sets_is_awaited():
    greenlets = Pausing()
    future = FutureBase()

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    @asynq.asynq()
    def waits():
        return (yield future, pauses.asynq())

    assert greenlets.run(waits, lambda: future.set_value(7)) == [(7, None), None]


@loaded
def test_deduplicate_shares_no_task_between_greenlets():
    greenlets = Pausing()

    @asynq.tools.deduplicate()
    @asynq.asynq()
    def slow(n):
        greenlets.pause()
        yield None
        return n

    @asynq.asynq()
    def main():
        return (yield slow.asynq(1), slow.asynq(1))

    assert greenlets.run(main, main) == [(1, 1), (1, 1)]


@loaded
def test_a_loader_has_a_batch_for_each_greenlet():
    greenlets = Pausing()
    sent = []

    @asynq.loader
    def double(keys):
        sent.append(list(keys))
        greenlets.pause()
        return [2 * key for key in keys]

    @asynq.asynq()
    def main(n):
        greenlets.pause()
        return (yield [double.asynq(n), double.asynq(n + 1)])

    assert greenlets.run(*[lambda n=n: main(n) for n in (0, 10)]) == [[0, 2], [20, 22]]
    assert sent == [[0, 1], [10, 11]]


@loaded
def test_delays_of_greenlets_do_not_share_a_batch():
    greenlets = Pausing()

    @asynq.asynq()
    def sleeps():
        yield from delay(0.001)

    @asynq.asynq()
    def main():
        return (yield sleeps.asynq(), pauses.asynq())

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    assert greenlets.run(main, main) == [(None, None)] * 2


@loaded
def test_a_batch_that_greenlets_share_is_flushed_once():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key):
        return (yield source.item(key), pauses.asynq())

    assert greenlets.run(lambda: main(1), lambda: main(2), lambda: main(3)) == [
        (2, None),
        (4, None),
        (6, None),
    ]
    assert source.flushed == [[1, 2, 3]]


@loaded
def test_a_greenlet_gets_values_that_another_one_has_flushed_meanwhile():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def pauses(times):
        for _ in range(times):
            greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key, times):
        value, _ = yield source.item(key), pauses.asynq(times)
        return value, (yield source.item(key + 10))

    assert greenlets.run(lambda: main(1, 3), lambda: main(2, 0)) == [(2, 22), (4, 24)]
    assert source.flushed[0] == [1, 2]


@loaded
def test_a_call_that_fails_leaves_a_shared_batch_to_the_other_greenlet():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def fails():
        greenlets.pause()
        raise KeyError
        yield

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key, other):
        return (yield source.item(key), other.asynq())

    def failing():
        with pytest.raises(KeyError):
            main(1, fails)

    assert greenlets.run(failing, lambda: main(2, pauses)) == [None, (4, None)]


@loaded
def test_waiting_for_a_flush_of_another_greenlet_fails_if_that_cannot_go_on():
    greenlets = Pausing()
    source = pausing_source(greenlets)
    item = source.item(1)

    @asynq.asynq()
    def awaits():
        return (yield item)

    def fails():
        with pytest.raises(RuntimeError, match="another greenlet of this thread is flushing"):
            awaits()
        with pytest.raises(RuntimeError, match="another greenlet of this thread is flushing"):
            item.value()
        return look_up(Source(), 5)

    assert greenlets.run(awaits, fails) == [2, 10]


@loaded
def test_an_item_awaited_in_its_own_flush_fails_among_greenlets_too():
    seen = []

    def answer(item):
        with pytest.raises(asynq.AsyncTaskError, match="deadlock"):
            awaits(item)
        seen.append(item.key)
        item.set_value(1)

    @asynq.asynq()
    def awaits(item):
        return (yield item)

    def work():
        return look_up(Source(answer=answer), 1)

    assert Pausing().run(work, work) == [1, 1]
    assert seen == [1, 1]
