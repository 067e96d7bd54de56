"""Handlers of `on_computed`. The event itself is in test_events.py."""

import pytest

from asynq import FutureBase


def test_a_handler_finds_the_future_computed():
    seen = []
    future = FutureBase()
    future.on_computed.subscribe(lambda it: seen.append((it.is_computed(), it.value())))
    future.set_value(42)
    assert seen == [(True, 42)]


def test_a_handler_is_called_for_an_error():
    seen = []
    future, error = FutureBase(), KeyError("x")
    future.on_computed.subscribe(lambda it: seen.append(it.error()))
    future.set_error(error)
    assert seen == [error]


def test_a_handler_that_fails_does_not_disturb_who_sets_the_value(capsys):
    def fail(future):
        raise KeyError("x")

    future = FutureBase()
    future.on_computed.subscribe(fail)
    future.set_value(42)
    assert future.value() == 42
    assert "exception ignored in asynq on_computed callback: KeyError('x')" in "".join(
        capsys.readouterr()
    )


def test_a_handler_that_fails_does_not_keep_others_from_being_called(capsys):
    called = []

    def fail(future):
        raise KeyError("x")

    future = FutureBase()
    future.on_computed.subscribe(fail)
    future.on_computed.subscribe(called.append)
    future.set_value(42)
    assert called == [future]


def test_an_interrupt_in_a_handler_is_not_ignored():
    def interrupt(future):
        raise KeyboardInterrupt

    future = FutureBase()
    future.on_computed.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        future.set_value(42)


def test_after_an_interrupt_in_a_handler_the_value_is_there():
    def interrupt(future):
        raise KeyboardInterrupt

    future = FutureBase()
    future.on_computed.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        future.set_value(42)
    assert future.value() == 42


def test_the_event_of_a_future_can_be_replaced():
    future, other = FutureBase(), FutureBase()
    seen = []
    other.on_computed.subscribe(seen.append)
    future.on_computed = other.on_computed
    future.set_value(42)
    assert seen == [future]


def test_a_handler_may_set_another_future():
    first, second = FutureBase(), FutureBase()
    first.on_computed.subscribe(lambda future: second.set_value(future.value() + 1))
    first.set_value(41)
    assert second.value() == 42
