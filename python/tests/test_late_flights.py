"""Answers that arrive after their deadline, and the permits that they hold."""

import time

import pytest
from held_calls import flushed, held_calls

import asynq
from asynq import LoadTimeoutError
from asynq.loaders import Loader


@pytest.fixture
def calls(monkeypatch):
    with held_calls(monkeypatch) as calls:
        yield calls


class Clock:
    """Stands for `time.monotonic`."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


def late(loader, key):
    with pytest.raises(LoadTimeoutError):
        loader(key)


# After the deadline.


def test_what_comes_back_late_changes_nothing(calls):
    loader = Loader(lambda keys: [-key for key in keys], blocking=True, timeout=0.01)
    load = loader.asynq(1)
    error = load.error()
    calls.finish(0)
    assert isinstance(error, LoadTimeoutError)
    assert load.error() is error
    other = flushed(loader.asynq(2))
    calls.finish(1)
    assert other.value() == -2


def test_what_comes_back_late_is_not_kept(calls):
    loader = Loader(list, blocking=True, timeout=0.01, cache=True, cache_errors=True)
    late(loader, 1)
    calls.finish(0)
    load = flushed(loader.asynq(1))
    assert len(calls) == 2
    calls.finish(1)
    assert load.value() == 1
    assert loader(1) == 1
    assert len(calls) == 2


def test_a_batch_that_comes_back_late_is_counted_once(calls):
    told = []
    loader = Loader(list, blocking=True, timeout=0.01, after_flush=told.append)
    late(loader, 1)
    calls.finish(0)
    load = flushed(loader.asynq(2))
    calls.finish(1)
    load.value()
    assert [(flushed.keys, type(flushed.error)) for flushed in told] == [
        ([1], TimeoutError),
        ([2], type(None)),
    ]
    # The first one was sent, although no thread had taken it.
    assert (loader.stats.batches, loader.stats.keys) == (2, 2)


def test_an_error_that_comes_back_late_is_no_error_of_the_next_call(calls):
    def fails(keys):
        raise KeyboardInterrupt

    loader = Loader(fails, blocking=True, timeout=0.01)
    late(loader, 1)
    calls.finish(0)
    assert asynq.loader(lambda keys: keys)(1) == 1


def test_a_late_batch_gives_its_permit_back_while_it_runs(calls):
    loader = Loader(list, blocking=True, timeout=0.01, max_in_flight=1)
    late(loader, 1)
    flushed(loader.asynq(2))
    assert len(calls) == 2


def test_a_late_batch_gives_its_permit_back_only_once(calls):
    loader = Loader(list, blocking=True, timeout=0.01, max_in_flight=1, max_batch_size=1)
    late(loader, 1)
    calls.finish(0)
    two, three = loader.asynq(2), loader.asynq(3)
    flushed(two)
    assert len(calls) == 2
    calls.finish(1)
    assert len(calls) == 3
    calls.finish(2)
    assert (two.value(), three.value()) == (2, 3)


def test_a_late_batch_that_interrupts_gives_its_permit_back(calls):
    def interrupt(flushed):
        if flushed.keys == [1]:
            raise KeyboardInterrupt

    loader = Loader(list, blocking=True, timeout=0.01, max_in_flight=1, after_flush=interrupt)
    with pytest.raises(KeyboardInterrupt):
        loader(1)
    flushed(loader.asynq(2))
    assert len(calls) == 2


def test_the_deadline_of_a_batch_covers_its_wait_for_a_permit(calls):
    holder = Loader(list, blocking=True, max_in_flight=1)
    loader = Loader(list, blocking=True, timeout=0.01)
    loader.limit = holder.limit
    flushed(holder.asynq(1))
    with pytest.raises(LoadTimeoutError, match="it was not sent, because max_in_flight requests"):
        loader(1)
    assert holder.limit._waiting == 0
    assert len(calls) == 1


def test_others_of_the_round_are_waited_for_after_a_deadline(calls):
    patient = Loader(list, blocking=True)

    def finish_the_other(flushed):
        calls.finish(1)

    loader = Loader(list, blocking=True, timeout=0.01, after_flush=finish_the_other, priority=1)

    @asynq.asynq()
    def caught():
        try:
            yield loader.asynq(1)
        except LoadTimeoutError:
            return "late"

    @asynq.asynq()
    def both():
        return (yield caught.asynq(), patient.asynq(2))

    assert both() == ("late", 2)


def test_a_batch_without_a_deadline_is_waited_for_after_one_with_a_deadline(calls):
    patient = Loader(list, blocking=True)
    load = flushed(patient.asynq(1))
    late(Loader(list, blocking=True, timeout=0.01), 1)
    assert not load.is_computed()
    calls.finish(0)
    assert load.value() == 1


def test_the_earliest_deadline_comes_first(calls, clock):
    told = []

    def begin(keys):
        clock.now += 0.001

    def send(keys):
        clock.now = 10.0
        return keys

    loaders = [
        Loader(
            list,
            blocking=True,
            timeout=seconds,
            before_flush=begin,
            after_flush=lambda flushed, name=name: told.append(name),
            priority=1,
        )
        for name, seconds in (("last", 3), ("first", 1), ("second", 2))
    ]
    # All deadlines are over before the scheduler looks at them.
    time_passes = Loader(send)

    @asynq.asynq()
    def caught(load):
        try:
            return (yield load)
        except LoadTimeoutError:
            return "late"

    @asynq.asynq()
    def all_of_them():
        loads = [loader.asynq(1) for loader in loaders]
        return (yield [caught.asynq(load) for load in [*loads, time_passes.asynq(1)]])

    assert all_of_them() == ["late", "late", "late", 1]
    assert told == ["first", "second", "last"]


# An async function of ours.


@pytest.mark.parametrize("fails", [False, True])
def test_a_part_of_an_async_function_that_is_late_changes_nothing_when_it_ends(calls, clock, fails):
    told, ended = [], []

    def sent():
        # The time of the first part is over, and that of the second one is not.
        clock.now = 0.6

    def finish_the_inner(flushed):
        told.append(flushed.keys)
        if flushed.error:
            calls.finish(0)
            calls.finish(1)

    calls.submitted = sent
    inner = Loader(list, blocking=True, max_batch_size=1)

    @asynq.loader(timeout=0.5, after_flush=finish_the_inner, max_batch_size=1)
    @asynq.asynq()
    def outer(keys):
        ended.append((yield [inner.asynq(key) for key in keys]))
        if fails and keys == [1]:
            raise KeyError
        return ended[-1]

    loads = [flushed(outer.asynq(1))]
    clock.now = 0.4
    loads.append(flushed(outer.asynq(2)))

    @asynq.asynq()
    def caught(load):
        try:
            return (yield load)
        except LoadTimeoutError:
            return "late"

    @asynq.asynq()
    def both():
        return (yield [caught.asynq(load) for load in loads])

    assert both() == ["late", 2]
    assert (ended, told) == ([[1], [2]], [[1], [2]])
    assert outer.stats.batches == 2
