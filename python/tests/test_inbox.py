"""The inbox of a scheduler: whatever arrives from another thread wakes it."""

import signal
import threading

import pytest

import asynq
from asynq import FutureBase
from asynq.loaders import request

SECONDS = 30


@pytest.fixture
def on_signal():
    """Sets the handler of a signal."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, lambda number, frame: handler())
    signal.signal(signal.SIGUSR1, before)


def interrupt():
    """Sends the signal to the main thread, which runs the tests."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)


def test_a_value_from_another_thread_wakes_a_scheduler_that_waits_for_a_flight():
    future, is_flushing, goes_on = FutureBase(), threading.Event(), threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        is_flushing.set()
        return {key: goes_on.wait(SECONDS) for key in keys}

    @asynq.asynq()
    def waits():
        yield future
        goes_on.set()

    @asynq.asynq()
    def main():
        return (yield slow.asynq(1), waits.asynq())[0]

    def sets():
        assert is_flushing.wait(SECONDS)
        future.set_value(None)

    thread = threading.Thread(target=sets)
    thread.start()
    assert main() is True
    thread.join()


def test_an_error_from_another_thread_wakes_a_scheduler_that_waits_for_a_flight():
    future, is_flushing, goes_on = FutureBase(), threading.Event(), threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        is_flushing.set()
        return {key: goes_on.wait(SECONDS) for key in keys}

    @asynq.asynq()
    def waits():
        try:
            yield future
        except KeyError:
            goes_on.set()

    @asynq.asynq()
    def main():
        return (yield slow.asynq(1), waits.asynq())[0]

    def sets():
        assert is_flushing.wait(SECONDS)
        future.set_error(KeyError())

    thread = threading.Thread(target=sets)
    thread.start()
    assert main() is True
    thread.join()


def test_an_item_that_another_thread_resolves_wakes_a_scheduler_that_waits_for_a_flight(source):
    is_flushing, goes_on = threading.Event(), threading.Event()
    items = []

    @asynq.loader(blocking=True)
    def slow(keys):
        is_flushing.set()
        return {key: goes_on.wait(SECONDS) for key in keys}

    @asynq.asynq()
    def asks():
        items.append(source.item(1))
        value = yield items[0]
        goes_on.set()
        return value

    def resolve(item):
        # In the flush, but by another thread, which ends only after it.
        thread = threading.Thread(target=lambda: is_flushing.wait(SECONDS) and item.set_value(5))
        thread.start()
        thread.join()

    source.answer = resolve

    @asynq.asynq()
    def main():
        return (yield slow.asynq(1), asks.asynq())

    assert main() == (True, 5)


def test_a_future_of_a_thread_that_has_ended_can_still_be_set():
    future = FutureBase()

    @asynq.asynq()
    def waits():
        yield future

    def deadlocks():
        try:
            waits()
        except asynq.AsyncTaskError:
            pass

    thread = threading.Thread(target=deadlocks)
    thread.start()
    thread.join()
    later = FutureBase()
    later.set_value(1)
    assert later.value() == 1


def test_a_signal_handler_can_load_while_its_thread_waits_for_the_same_loader(on_signal):
    has_loaded = threading.Event()
    seen = []

    @asynq.loader(blocking=True)
    def load(keys):
        if keys == ["outer"]:
            interrupt()
            assert has_loaded.wait(SECONDS)
        return [key * 2 for key in keys]

    @asynq.loader
    async def load_on_a_loop(keys):
        return [key * 3 for key in keys]

    def handler():
        seen.append((load("inner"), load_on_a_loop("inner")))
        has_loaded.set()

    on_signal(handler)
    assert load("outer") == "outerouter"
    assert seen == [("innerinner", "innerinnerinner")]


def test_a_call_of_a_signal_handler_may_take_the_answer_of_the_call_that_it_interrupts(on_signal):
    goes_on = threading.Event()

    @asynq.loader(blocking=True)
    def outer(keys):
        interrupt()
        assert goes_on.wait(SECONDS)
        return keys

    @asynq.loader(blocking=True)
    def inner(keys):
        # It ends after the answer of the other one has arrived, so its call handles both.
        goes_on.set()
        while not load.batch.flights[0].has_arrived:
            pass
        return keys

    on_signal(lambda: inner(1))
    load = outer.asynq(1)
    assert load.value() == 1
    assert goes_on.is_set()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_call_goes_on_after_an_interrupt_while_a_request_was_finished(monkeypatch, where):
    @asynq.loader(blocking=True)
    def load(keys):
        return keys

    finish = request.Request._finish

    def interrupted(finished, error):
        monkeypatch.undo()
        if where == "after":
            finish(finished, error)
        raise KeyboardInterrupt

    monkeypatch.setattr(request.Request, "_finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(1)
    assert load(2) == 2
    assert load._in_flight() == []
