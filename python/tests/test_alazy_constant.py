"""`alazy_constant`: functions that are computed once."""

import pytest

from asynq import asynq
from asynq.batching import DebugBatchItem
from asynq.tools import (
    alazy_constant,
)


@asynq()
def wait():
    yield DebugBatchItem()


@pytest.fixture
def clock(monkeypatch):
    """A stopped clock: `clock.now` is the time in microseconds."""

    class Clock:
        now = 1_000_000_000

    monkeypatch.setattr("asynq.tools.utime", lambda: Clock.now)
    return Clock


@pytest.fixture
def make_counter():
    """Creates a constant whose value is the number of times it was computed."""

    def make(**options):
        count = 0

        @alazy_constant(**options)
        @asynq()
        def counter():
            """Counts."""
            nonlocal count
            yield wait.asynq()
            count += 1
            return count

        return counter

    return make


def test_a_constant_is_computed_once(make_counter):
    counter = make_counter()
    assert [counter(), counter.asynq().value(), counter()] == [1, 1, 1]


def test_a_dirty_constant_is_computed_again(make_counter):
    counter = make_counter()
    counter()
    counter.dirty()
    assert [counter(), counter()] == [2, 2]


def test_a_constant_without_ttl_lasts_for_ever(make_counter, clock):
    counter = make_counter()
    counter()
    clock.now *= 1000
    assert counter() == 1


def test_a_constant_lasts_for_its_ttl_in_microseconds(make_counter, clock):
    counter = make_counter(ttl=100)
    values = []
    for step in (0, 50, 50, 1, 100, 1):
        clock.now += step
        values.append(counter())
    assert values == [1, 1, 1, 2, 2, 3]


def test_a_constant_may_be_none():
    calls = []

    @alazy_constant()
    @asynq()
    def none():
        calls.append(1)

    assert none() is none() is None
    assert len(calls) == 1


def test_the_state_of_a_constant_can_be_read(make_counter, clock):
    counter = make_counter()
    assert counter.alazy_constant_refresh_time == 0
    assert counter.alazy_constant_cached_value is None
    counter()
    assert counter.alazy_constant_refresh_time == clock.now
    assert counter.alazy_constant_cached_value == 1


def test_an_error_of_a_constant_is_not_remembered():
    errors = [KeyError()]

    @alazy_constant()
    @asynq()
    def fn():
        if errors:
            raise errors.pop()
        return 1

    with pytest.raises(KeyError):
        fn()
    assert fn() == 1


def test_a_constant_keeps_its_name(make_counter):
    counter = make_counter()
    assert (counter.__name__, counter.__doc__) == ("counter", "Counts.")
