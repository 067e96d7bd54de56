"""Contexts and event hooks that are half made, entered twice, or left without being entered."""

import pytest

from asynq import AsyncScopedValue, Loader, async_override, debug
from asynq import asynq as async_fn
from asynq.asynq_to_async import AsyncioMode
from asynq.tools import AsyncEventHook, AsyncTimer

# Contexts that are entered twice, or left without being entered


class Settings:
    colour = "red"


OVERRIDES = {
    "value": lambda: (value := AsyncScopedValue("red"), value.get, value.override("blue")),
    "attribute": lambda: (
        owner := Settings(),
        lambda: owner.colour,
        async_override(owner, "colour", "blue"),
    ),
}


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_may_be_entered_inside_itself(make):
    _, get, override = make()
    with override:
        with override:
            assert get() == "blue"
        assert get() == "blue"
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_may_be_entered_inside_itself_by_a_task_that_waits(make):
    _, get, override = make()

    @async_fn()
    def main():
        with override:
            with override:
                yield debug.sync(), other.asynq()
            return get()

    @async_fn()
    def other():
        yield debug.sync("other")
        assert get() in ("red", "blue")

    assert main() == "blue"
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
@pytest.mark.parametrize("leave", ["pause", "__exit__"])
def test_an_override_that_is_not_active_cannot_be_left(make, leave):
    _, get, override = make()
    arguments = (None, None, None) if leave == "__exit__" else ()
    with pytest.raises(RuntimeError, match="is not active"):
        getattr(override, leave)(*arguments)
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_that_is_active_is_not_initialized_again(make):
    owner, get, override = make()
    arguments = (owner, "green") if make is OVERRIDES["value"] else (owner, "colour", "green")
    with override, pytest.raises(RuntimeError, match="is active, and cannot be initialized again"):
        override.__init__(*arguments)
    assert get() == "red"


def test_the_name_of_an_overridden_attribute_is_a_str():
    with pytest.raises(TypeError, match="property_name must be a str, got 5"):
        async_override(Settings(), 5, 1)


def test_a_timer_may_be_entered_inside_itself(monkeypatch):
    now = iter([1, 10])
    monkeypatch.setattr("asynq.tools.utime", lambda: next(now))
    with AsyncTimer() as timer, timer:
        pass
    assert timer.total_time == 9


def test_a_timer_that_does_not_run_cannot_be_paused():
    with pytest.raises(RuntimeError, match="the AsyncTimer is not running"):
        AsyncTimer().pause()


def test_asyncio_mode_that_was_not_entered_cannot_be_left():
    with pytest.raises(RuntimeError, match="AsyncioMode is left, but was not entered"):
        AsyncioMode().__exit__(None, None, None)


# Classes that do not call super().__init__()


def test_a_scoped_value_that_is_half_made():
    class Half(AsyncScopedValue):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match=r"Half.__init__\(\) must call super\(\).__init__"):
        Half().get()


def test_an_event_hook_that_is_half_made_has_no_handlers():
    class Half(AsyncEventHook):
        def __init__(self):
            pass

    hook, calls = Half(), []
    hook.subscribe(calls.append)
    hook.trigger(1)
    assert calls == [1]


def test_a_timer_that_is_half_made_measures():
    class Half(AsyncTimer):
        def __init__(self):
            pass

    with Half() as timer:
        pass
    assert timer.total_time >= 0


# Scoped values


def test_a_scoped_value_may_define_equality():
    class Compared(AsyncScopedValue):
        def __eq__(self, other):
            return True

    one, two = Compared(1), Compared(2)
    with one.override(3):
        assert Loader(lambda keys: [(one.get(), two.get())], blocking=True)(0) == (3, 2)


# Event hooks


@pytest.mark.parametrize("handlers", [7, [7]], ids=repr)
def test_an_event_hook_refuses_handlers_that_are_no_functions(handlers):
    with pytest.raises(TypeError, match=r"(handlers|handler) must be a"):
        AsyncEventHook(handlers)


def test_an_unknown_handler_is_named():
    with pytest.raises(ValueError, match="cannot unsubscribe <built-in function print>"):
        AsyncEventHook().unsubscribe(print)


@pytest.mark.parametrize("trigger", ["trigger", "safe_trigger"])
def test_a_handler_that_changes_an_async_event_counts_from_the_next_time_on(trigger):
    hook, calls = AsyncEventHook(), []

    def leaves():
        calls.append("leaves")
        hook.unsubscribe(leaves)

    def brings():
        calls.append("brings")
        hook.subscribe(lambda: calls.append("late"))

    hook.subscribe(leaves)
    hook.subscribe(brings)
    getattr(hook, trigger)()
    assert calls == ["leaves", "brings"]
