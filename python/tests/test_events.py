import pytest

from asynq import ConstFuture, FutureBase, get_scheduler
from asynq._event_hook import EventHook, SinkingEventHook, sinking_event_hook


def fails_with(error):
    def handler(*args):
        raise error

    return handler


def test_trigger_calls_the_handlers_in_the_order_in_which_they_subscribed():
    calls = []
    hook = EventHook()
    hook.subscribe(lambda *args: calls.append(("first", args)))
    hook.subscribe(lambda *args: calls.append(("second", args)))
    hook.trigger(1, "a")
    assert calls == [("first", (1, "a")), ("second", (1, "a"))]


def test_calling_a_hook_triggers_it():
    calls = []
    hook = EventHook([calls.append])
    hook(1)
    assert calls == [1]


def test_a_handler_that_subscribed_twice_is_called_twice():
    calls = []
    hook = EventHook()
    hook.subscribe(calls.append)
    hook.subscribe(calls.append)
    hook.trigger(1)
    assert calls == [1, 1]


def test_an_unsubscribed_handler_is_not_called():
    calls = []
    hook = EventHook()
    hook.subscribe(calls.append)
    hook.unsubscribe(calls.append)
    hook.trigger(1)
    assert calls == []


def test_unsubscribing_what_did_not_subscribe_raises():
    with pytest.raises(ValueError, match="not in list"):
        EventHook().unsubscribe(print)


def test_only_what_can_be_called_can_subscribe():
    with pytest.raises(AssertionError, match="Invalid handler 42"):
        EventHook().subscribe(42)


def test_a_handler_may_unsubscribe_itself():
    calls = []
    hook = EventHook()

    def once(argument):
        calls.append(argument)
        hook.unsubscribe(once)

    hook.subscribe(once)
    hook.subscribe(calls.append)
    hook.trigger(1)
    hook.trigger(2)
    assert calls == [1, 1, 2]


def test_trigger_ends_at_the_first_error():
    calls = []
    hook = EventHook([fails_with(KeyError("x")), calls.append])
    with pytest.raises(KeyError):
        hook.trigger(1)
    assert calls == []


def test_safe_trigger_calls_those_behind_an_error():
    calls = []
    hook = EventHook([fails_with(KeyError("x")), calls.append])
    with pytest.raises(KeyError):
        hook.safe_trigger(1)
    assert calls == [1]


def test_safe_trigger_raises_the_first_of_several_errors():
    hook = EventHook([fails_with(KeyError("x")), fails_with(OSError("y"))])
    with pytest.raises(KeyError):
        hook.safe_trigger()


def test_safe_trigger_raises_with_the_traceback_of_the_handler():
    hook = EventHook([fails_with(KeyError("x"))])
    with pytest.raises(KeyError) as caught:
        hook.safe_trigger()
    assert caught.traceback[-1].name == "handler"


def test_a_hook_contains_its_handlers():
    hook = EventHook([print])
    assert print in hook
    assert len not in hook


def test_iterating_over_a_hook_gives_its_handlers():
    assert list(EventHook([print, len])) == [print, len]


def test_the_handlers_given_to_a_hook_are_its_list():
    handlers = []
    EventHook(handlers).subscribe(print)
    assert handlers == [print]


def test_a_hook_is_shown_with_its_handlers():
    assert repr(EventHook([print])) == "EventHook(<built-in function print>,)"


def test_a_sinking_hook_takes_handlers_and_forgets_them():
    hook = SinkingEventHook()
    hook.subscribe(fails_with(KeyError("never")))
    hook.trigger()
    hook.safe_trigger()
    hook()
    assert list(hook) == []


def test_unsubscribing_from_a_sinking_hook_does_nothing():
    sinking_event_hook.unsubscribe(print)
    assert print not in sinking_event_hook


def test_a_sinking_hook_is_an_event_hook():
    assert isinstance(sinking_event_hook, EventHook)
    assert repr(sinking_event_hook) == "SinkingEventHook()"


def test_the_event_of_a_known_value_is_sinking():
    assert ConstFuture(1).on_computed is sinking_event_hook


def test_on_computed_is_one_hook_each_future():
    future = FutureBase()
    assert isinstance(future.on_computed, EventHook)
    assert future.on_computed is future.on_computed
    assert future.on_computed is not FutureBase().on_computed


def test_on_computed_is_triggered_with_the_future():
    calls = []
    future = FutureBase()
    future.on_computed.subscribe(calls.append)
    future.set_value(1)
    assert calls == [future]


def test_the_hooks_of_a_scheduler_are_event_hooks():
    assert isinstance(get_scheduler().on_before_batch_flush, EventHook)
    assert isinstance(get_scheduler().on_after_batch_flush, EventHook)
