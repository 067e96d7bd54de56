"""Loaders whose cache is primed and cleared by hand."""

import threading

import pytest
from negating import each
from numbering import recording

import asynq
from asynq.loaders import Loader


def test_a_primed_value_is_not_asked_for():
    loader, batches = recording(cache=True)
    loader.prime(1, "known")
    assert each(loader, [1, 2]) == ["known", (2, 1)]
    assert batches == [[2]]


def test_without_a_cache_priming_does_nothing():
    loader, _ = recording()
    loader.prime(1, "known")
    assert loader(1) == (1, 1)


def test_a_cleared_key_is_asked_for_again():
    loader, batches = recording(cache=True)
    each(loader, [1, 2])
    loader.clear(1)
    each(loader, [1, 2])
    assert batches == [[1, 2], [1]]


def test_clearing_all_forgets_all():
    loader, batches = recording(cache=True)
    each(loader, [1, 2])
    loader.clear_all()
    each(loader, [1, 2])
    assert batches == [[1, 2], [1, 2]]


def test_what_was_not_sent_yet_when_it_is_cleared_is_kept():
    loader, batches = recording(cache=True)
    load = loader.asynq(1)
    loader.clear(1)
    load.value()
    loader(1)
    assert batches == [[1]]


def test_a_key_that_is_cleared_while_it_is_in_flight_is_asked_for_anew():
    sent, goes_on = threading.Event(), threading.Event()
    batches = []

    def function(keys):
        batches.append(list(keys))
        if len(batches) == 1:
            sent.set()
            assert goes_on.wait(30)
        return {key: (key, len(batches)) for key in keys}

    loader = Loader(function, cache=True, blocking=True)

    @asynq.loader
    def writes(keys):
        # While the loader waits for its first batch.
        assert sent.wait(30)
        loader.clear(1)
        return keys

    @asynq.asynq()
    def reads():
        return (yield loader.asynq(1))

    @asynq.asynq()
    def writes_then_reads():
        yield writes.asynq(1)
        again = loader.asynq(1)
        goes_on.set()
        return (yield again)

    @asynq.asynq()
    def both():
        return (yield reads.asynq(), writes_then_reads.asynq())

    both()
    assert batches == [[1], [1]]
    assert loader(1) == (1, 2)


in_another_thread = pytest.mark.parametrize("blocking", [False, True], ids=["plain", "blocking"])


@in_another_thread
def test_a_key_that_is_cleared_in_another_thread_is_not_kept(blocking):
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=blocking, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return keys

    thread = threading.Thread(target=slow, args=(1,))
    thread.start()
    assert sent.wait(30)
    slow.clear(1)
    goes_on.set()
    thread.join(30)
    assert slow(1) == 1
    assert slow.stats.batches == 2


@in_another_thread
def test_keys_that_are_in_flight_when_all_are_cleared_are_not_kept(blocking):
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=blocking, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return keys

    thread = threading.Thread(target=slow.load_many, args=([1, 2],))
    thread.start()
    assert sent.wait(30)
    slow.clear_all()
    goes_on.set()
    thread.join(30)
    assert slow.load_many([1, 2]) == [1, 2]
    assert slow.stats.batches == 2


def test_a_key_that_is_primed_while_it_is_in_flight_keeps_that_value():
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=True, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return ["older" for _ in keys]

    thread = threading.Thread(target=slow, args=(1,))
    thread.start()
    assert sent.wait(30)
    slow.prime(1, "newer")
    goes_on.set()
    thread.join(30)
    assert slow(1) == "newer"
