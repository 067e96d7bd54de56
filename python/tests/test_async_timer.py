"""`AsyncTimer`: the time of a task, without that of others."""

import time

import pytest

from asynq import asynq
from asynq.batching import BatchBase, BatchItemBase, DebugBatchItem
from asynq.tools import (
    AsyncTimer,
)


@pytest.fixture
def clock(monkeypatch):
    """A stopped clock: `clock.now` is the time in microseconds."""

    class Clock:
        now = 1_000_000

    monkeypatch.setattr("asynq.tools.utime", lambda: Clock.now)
    return Clock


def test_a_timer_measures_its_block_in_microseconds(clock):
    with AsyncTimer() as timer:
        clock.now += 5
    clock.now += 100
    assert timer.total_time == 5


def test_a_timer_that_is_not_entered_has_measured_nothing():
    assert AsyncTimer().total_time == 0


def test_a_timer_entered_again_adds_up(clock):
    timer = AsyncTimer()
    for _ in range(3):
        with timer:
            clock.now += 5
    assert timer.total_time == 15


def test_a_timer_does_not_count_what_other_tasks_do(clock):
    @asynq()
    def timed():
        with AsyncTimer() as timer:
            clock.now += 1
            yield DebugBatchItem()
            clock.now += 10
        return timer.total_time

    @asynq()
    def slow():
        clock.now += 1000
        yield DebugBatchItem()
        clock.now += 1000

    @asynq()
    def all_of_them():
        return (yield timed.asynq(), slow.asynq(), timed.asynq())

    assert all_of_them() == (11, None, 11)


def test_a_timer_counts_what_the_block_waits_for(clock):
    @asynq()
    def inner():
        clock.now += 1
        yield DebugBatchItem()
        clock.now += 10

    @asynq()
    def outer():
        with AsyncTimer() as timer:
            yield inner.asynq(), inner.asynq()
        return timer.total_time

    assert outer() == 22


def test_a_timer_does_not_count_flushes(clock):
    class SlowBatch(BatchBase):
        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            clock.now += 1000
            for item in self.items:
                item.set_value(None)

    @asynq()
    def fn():
        with AsyncTimer() as timer:
            yield BatchItemBase(SlowBatch())
            clock.now += 1
        return timer.total_time

    assert fn() == 1


def test_a_timer_measures_real_time():
    with AsyncTimer() as timer:
        time.sleep(0.002)
    assert timer.total_time >= 2000
