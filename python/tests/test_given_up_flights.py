"""Answers that arrive after their call was given up."""

import gc
import weakref

import pytest
from held_calls import flushed, held_calls, interrupting
from threads import in_thread

import asynq
from asynq import LoadTimeoutError
from asynq.loaders import Loader


@pytest.fixture
def calls(monkeypatch):
    with held_calls(monkeypatch) as calls:
        yield calls


# After a call was given up.


def test_what_a_caller_gave_up_is_there_when_it_comes_back(calls):
    loader = Loader(lambda keys: [-key for key in keys], blocking=True, cache=True)
    load = loader.asynq(1)
    interrupting(load)
    calls.finish(0)
    # Taken notice of by any call that looks for what has come back.
    assert load.value() == -1
    assert loader(1) == -1
    assert len(calls) == 1


def test_what_a_caller_gave_up_is_not_asked_for_again(calls):
    loader = Loader(list, blocking=True)
    load = loader.asynq(1)
    interrupting(load)
    assert loader.asynq(1) is load
    calls.finish(0)
    assert load.value() == 1


def test_what_a_caller_gave_up_holds_its_permit_until_it_comes_back(calls):
    loader = Loader(list, blocking=True, max_in_flight=1)
    interrupting(loader.asynq(1))
    load = flushed(loader.asynq(2))
    assert len(calls) == 1
    calls.finish(0)
    assert len(calls) == 2
    calls.finish(1)
    assert load.value() == 2


def test_what_a_caller_gave_up_has_its_deadline_in_the_next_call(calls):
    loader = Loader(list, blocking=True, timeout=0.01)
    load = loader.asynq(1)
    interrupting(load)
    assert isinstance(load.error(), LoadTimeoutError)


def test_what_a_caller_gave_up_has_its_deadline_in_another_thread(calls):
    loader = Loader(list, blocking=True, timeout=0.01)
    load = loader.asynq(1)
    interrupting(load)
    assert isinstance(in_thread(load.error), LoadTimeoutError)


def test_what_has_come_back_already_may_be_taken_over_by_another_thread(calls):
    loader = Loader(list, blocking=True)
    load = loader.asynq(1)
    interrupting(load)
    calls.finish(0)
    assert in_thread(load.value) == 1


def test_a_part_that_is_back_stays_so_when_the_others_are_taken_over(calls):
    loader = Loader(list, blocking=True, max_batch_size=1)
    loads = [loader.asynq(1), loader.asynq(2)]
    flushed(loads[0])
    calls.finish(0)
    assert loads[0].value() == 1

    def finish_and_wait():
        calls.finish(1)
        return loads[1].value()

    assert in_thread(finish_and_wait) == 2


def test_a_thread_waits_no_more_for_what_another_one_has_taken_over(calls):
    loader = Loader(list, blocking=True)
    load = loader.asynq(1)
    interrupting(load)

    def take_over():
        calls.finish(0)
        return load.value()

    assert in_thread(take_over) == 1
    promise = asynq.FutureBase()

    @asynq.asynq()
    def stuck():
        yield promise

    # Were it still waited for here, this would wait for ever.
    with pytest.raises(asynq.AsyncTaskError, match="stuck"):
        stuck()


def test_a_cancelled_batch_gives_its_permit_back_when_it_comes_back(calls):
    loader = Loader(list, blocking=True, max_in_flight=1)
    load = flushed(loader.asynq(1))
    load.batch.cancel()
    other = flushed(loader.asynq(2))
    assert len(calls) == 1
    calls.finish(0)
    assert len(calls) == 2
    calls.finish(1)
    assert other.value() == 2
    assert isinstance(load.error(), asynq.BatchCancelledError)


def test_an_interrupt_while_values_are_delivered_leaves_the_rest_for_later(calls):
    loader = Loader(list, blocking=True, max_batch_size=1)
    first, second = loader.asynq(1), loader.asynq(2)

    def interrupt(load):
        raise KeyboardInterrupt

    first.on_computed.subscribe(interrupt)
    flushed(first)
    calls.finish(0)
    calls.finish(1)
    with pytest.raises(KeyboardInterrupt):
        first.value()
    assert (first.value(), second.value()) == (1, 2)


# Nothing stays behind.


def test_a_batch_is_flushed_when_its_last_request_has_come_back(calls):
    loader = Loader(list, blocking=True, max_batch_size=1)
    loads = [loader.asynq(1), loader.asynq(2)]
    batch = flushed(loads[0]).batch
    calls.finish(0)
    assert loads[0].value() == 1
    assert not batch.is_flushed()
    calls.finish(1)
    assert loads[1].value() == 2
    assert batch.is_flushed()


@pytest.mark.parametrize("where", ["here", "in another thread"])
def test_a_flight_that_has_ended_is_garbage(calls, where):
    loader = Loader(list, blocking=True)
    load = loader.asynq(1)
    interrupting(load)
    flight = weakref.ref(load.batch.flights[0])
    calls.finish(0)
    if where == "here":
        load.value()
    else:
        in_thread(load.value)
    # Takes notice of what others have taken over.
    other = loader.asynq(2)
    flushed(other)
    calls.finish(1)
    other.value()
    calls.forget()
    del load
    gc.collect()
    assert flight() is None


def test_what_has_come_back_goes_on_before_the_next_batch_is_sent(calls, log, source):
    quick = Loader(list, blocking=True, priority=1)

    @asynq.asynq()
    def goes_on():
        yield quick.asynq(1)
        log.append("goes on")
        yield source.item(1)

    def finish(keys):
        calls.finish(0)
        return keys

    sends = Loader(finish, priority=0.5)

    @asynq.asynq()
    def main():
        yield goes_on.asynq(), sends.asynq(1), source.item(2)

    main()
    assert log == ["goes on", ("source", [2, 1])]
