"""Permits of batches: the order in which batches get them, and their return."""

import threading

import pytest
from held_calls import flushed, held_calls

from asynq._asynq import Limit, Permits
from asynq.loaders import Loader, set_max_in_flight


@pytest.fixture
def calls(monkeypatch):
    with held_calls(monkeypatch) as calls:
        yield calls


def test_a_limit_of_all_loaders_holds_beside_that_of_one(calls):
    set_max_in_flight(2)
    try:
        one = Loader(list, blocking=True, max_in_flight=1, max_batch_size=1)
        other = Loader(list, blocking=True, max_batch_size=1)
        loads = [one.asynq(1), one.asynq(2), other.asynq(3), other.asynq(4)]
        flushed(loads[0])
        assert len(calls) == 1
        flushed(loads[2])
        assert len(calls) == 2
    finally:
        set_max_in_flight(None)
    for number in range(4):
        calls.finish(number)
    assert [load.value() for load in loads] == [1, 2, 3, 4]


def test_permits_that_are_given_back_twice_are_one():
    limit = Limit(1)
    begun = []
    permits = Permits([limit])
    permits.acquire(lambda: begun.append("first"))
    permits.release()
    permits.release()
    for name in ("second", "third"):
        Permits([limit]).acquire(lambda name=name: begun.append(name))
    assert begun == ["first", "second"]


def test_permits_that_came_too_late_and_are_given_back_again_are_one():
    limit = Limit(1)
    begun = []
    first, given_up = Permits([limit]), Permits([limit])
    first.acquire(lambda: begun.append("first"))
    given_up.acquire(lambda: begun.append("given up"))
    given_up.release()
    first.release()
    given_up.release()
    for name in ("second", "third"):
        Permits([limit]).acquire(lambda name=name: begun.append(name))
    assert begun == ["first", "second"]


def test_what_cannot_begin_does_not_keep_the_others_from_their_permits():
    limit = Limit(1)
    begun = []

    def fails():
        begun.append("fails")
        raise RuntimeError("it cannot begin")

    Permits([limit]).acquire(fails)
    Permits([limit]).acquire(lambda: begun.append("second"))
    assert begun == ["fails", "second"]


def test_what_a_signal_handler_has_interrupted_begins_again():
    limit = Limit(1)
    begun = []

    def is_interrupted_once():
        begun.append("begin")
        if len(begun) == 1:
            raise KeyboardInterrupt

    permits = Permits([limit])
    with pytest.raises(KeyboardInterrupt):
        permits.acquire(is_interrupted_once)
    Permits([limit]).acquire(lambda: begun.append("second"))
    assert begun == ["begin", "begin"]
    permits.release()
    assert begun == ["begin", "begin", "second"]


def test_a_permit_goes_to_the_one_that_has_waited_longest(calls):
    loader = Loader(list, blocking=True, max_in_flight=1, max_batch_size=1)
    loads = [loader.asynq(key) for key in range(4)]
    flushed(loads[0])
    order = []
    for load in loads:
        load.on_computed.subscribe(lambda load: order.append(load.key))
    for number in range(4):
        assert len(calls) == number + 1
        calls.finish(number)
    assert [load.value() for load in loads] == [0, 1, 2, 3]
    assert order == [0, 1, 2, 3]


def test_threads_take_turns_with_the_permits_of_one_loader(calls):
    loader = Loader(list, blocking=True, max_in_flight=1)
    first = flushed(loader.asynq(1))
    has_asked = threading.Event()

    def waits():
        load = flushed(loader.asynq(2))
        has_asked.set()
        return load.value()

    values = []
    thread = threading.Thread(target=lambda: values.append(waits()))
    thread.start()
    assert has_asked.wait(30)
    assert len(calls) == 1
    calls.finish(0)
    assert first.value() == 1
    assert len(calls) == 2
    calls.finish(1)
    thread.join(30)
    assert values == [2]
