"""`AsyncEventHook`: handlers that run together."""

import pytest

from asynq import async_proxy, asynq
from asynq.batching import DebugBatchItem
from asynq.tools import (
    AsyncEventHook,
)


@asynq()
def negative(x):
    return (yield DebugBatchItem(result=-x))


@asynq()
def fail(x):
    yield None
    raise KeyError(x)


def test_asynchronous_and_plain_handlers_are_called():
    seen = []

    @asynq()
    def handler(*args):
        seen.append(("asynq", (yield negative.asynq(args[0]))))

    hook = AsyncEventHook([handler])
    hook.subscribe(lambda *args: seen.append(("plain", args)))
    hook.trigger(1, 2)
    assert sorted(seen) == [("asynq", -1), ("plain", (1, 2))]


def test_handlers_share_batches(flushes):
    hook = AsyncEventHook([negative] * 3)
    hook.trigger(1)
    hook.safe_trigger(1)
    assert flushes == [3, 3]


def test_the_event_can_be_triggered_asynchronously():
    seen = []

    @asynq()
    def handler(x):
        seen.append((yield negative.asynq(x)))

    @asynq()
    def fn():
        hook = AsyncEventHook([handler])
        yield hook.trigger.asynq(1), hook.safe_trigger.asynq(2)

    fn()
    assert sorted(seen) == [-2, -1]


def test_an_event_that_is_called_is_triggered():
    seen = []
    AsyncEventHook([seen.append])(1)
    assert seen == [1]


def test_an_event_without_handlers_does_nothing():
    assert AsyncEventHook().trigger(1) is None
    assert AsyncEventHook().safe_trigger(1) is None


def test_handlers_can_be_unsubscribed():
    seen = []
    hook = AsyncEventHook([seen.append])
    assert seen.append in hook
    hook.unsubscribe(seen.append)
    hook.trigger(1)
    assert seen == []


def test_a_plain_handler_that_fails_stops_trigger():
    seen = []

    def broken(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        AsyncEventHook([broken, seen.append]).trigger(1)
    assert seen == []


@pytest.mark.parametrize("order", [1, -1])
def test_safe_trigger_calls_the_others_if_one_fails(order):
    seen = []
    with pytest.raises(KeyError):
        AsyncEventHook([seen.append, fail, seen.append][::order]).safe_trigger(1)
    assert seen == [1, 1]


def test_safe_trigger_raises_the_first_error_in_the_order_of_the_handlers():
    @asynq()
    def slow(x):
        yield DebugBatchItem()
        raise ValueError(x)

    with pytest.raises(ValueError, match="1"):
        AsyncEventHook([slow, fail]).safe_trigger(1)


def test_safe_trigger_passes_on_errors_that_are_no_exceptions():
    def interrupt(x):
        raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        AsyncEventHook([interrupt, seen.append]).safe_trigger(1)
    assert seen == [1]


def test_a_proxy_can_be_a_handler():
    seen = []

    @async_proxy()
    def handler(x):
        seen.append(x)
        return negative.asynq(x)

    AsyncEventHook([handler]).trigger(1)
    assert seen == [1]
