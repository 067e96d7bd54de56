"""Answers that arrive when no call waits for them any more, and the permits that they hold.

The test decides when a batch function runs, without a worker thread.
"""

import gc
import threading
import time
import weakref

import pytest
from threads import in_thread

import asynq
from asynq import LoadTimeoutError
from asynq._asynq import Limit, Permits
from asynq.loaders import Loader, request, running_function, set_max_in_flight


class Calls:
    """Stands for the pool of threads: `finish(n)` is the end of the call with that number."""

    def submitted(self):
        pass

    def __init__(self):
        self._calls = []
        self._done = set()

    def __len__(self):
        return len(self._calls)

    def submit(self, job, *args):
        self.submitted()
        self._calls.append(job)

    def run(self, function, *args):
        return function(*args)

    def forget(self):
        self._calls.clear()

    def finish_all(self):
        for number in range(len(self._calls)):
            if number not in self._done:
                self.finish(number)

    def finish(self, number):
        self._done.add(number)
        self._calls[number]()


@pytest.fixture
def calls(monkeypatch):
    calls = Calls()
    for module in (request, running_function):
        monkeypatch.setattr(module, "thread_pool", calls)
    yield calls
    calls.finish_all()
    # Takes notice of what has come back.
    Loader(list)(0)


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


def flushed(load):
    """The load, after its batch was sent."""
    load.batch.flush()
    return load


def interrupting(load):
    """A call that waits for the load, and is interrupted."""

    @asynq.loader(priority=-1)
    def interrupts(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def main():
        yield load, interrupts.asynq(1)

    with pytest.raises(KeyboardInterrupt):
        main()


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


# Permits.


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
