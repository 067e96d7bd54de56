"""asyncio mode: synchronous calls in it, and functions of unknown kind."""

import asyncio
import functools
import logging

import pytest
from doubles import (
    double,
    double_by_batch,
    double_in_two_steps,
    proxied_double,
    pure_double,
    twice,
)

from asynq import (
    ConstFuture,
    async_call,
    async_proxy,
    asynq,
    is_asyncio_mode,
)
from asynq.asynq_to_async import AsyncioMode
from asynq.batching import DebugBatchItem
from asynq.decorators import asyncio_call, lazy

# Synchronous calls


@pytest.mark.parametrize("fn", [double, double_in_two_steps, proxied_double, twice(double)])
def test_a_synchronous_call_is_a_runtime_error(fn):
    with AsyncioMode(), pytest.raises(RuntimeError, match="does not support synchronous calls"):
        fn(1)


def test_a_synchronous_call_of_a_function_with_a_sync_fn_is_a_runtime_error():
    fn = asynq(sync_fn=lambda: 1)(lambda: 2)
    with AsyncioMode(), pytest.raises(RuntimeError, match="does not support synchronous calls"):
        fn()


def test_a_synchronous_call_of_a_proxy_with_a_sync_fn_is_made():
    fn = async_proxy(sync_fn=lambda: 1)(lambda: ConstFuture(2))
    with AsyncioMode():
        assert fn() == 1


def test_the_error_of_a_synchronous_call_says_what_to_do():
    with AsyncioMode(), pytest.raises(RuntimeError) as caught:
        double(1)
    message = str(caught.value)
    assert "Yield double.asynq(...) or await double.asyncio(...) instead" in message
    assert double.fn.__code__.co_filename in message


def test_a_synchronous_call_of_a_method_is_a_runtime_error():
    class Shape:
        @asynq()
        def method(self):
            raise NotImplementedError

    with AsyncioMode(), pytest.raises(RuntimeError, match=r"Shape\.method\.asynq"):
        Shape().method()


ALLOWED = {
    "asynq": lambda: asynq(allow_sync_call=True)(double_in_two_steps.fn),
    "async_proxy": lambda: async_proxy(allow_sync_call=True)(double.asynq),
    "sync_fn": lambda: asynq(sync_fn=double, allow_sync_call=True)(double.fn),
    "method": lambda: functools.partial(HasAllowedMethod().method),
}


class HasAllowedMethod:
    @asynq(allow_sync_call=True)
    def method(self, x):
        return (yield double_in_two_steps.asynq(x))


@pytest.mark.parametrize("kind", ALLOWED)
def test_a_synchronous_call_can_be_allowed(kind, caplog):
    fn = ALLOWED[kind]()
    with AsyncioMode():
        assert fn(3) == 6
        assert is_asyncio_mode()


def test_an_allowed_synchronous_call_logs_a_warning(caplog):
    fn = ALLOWED["asynq"]()
    with AsyncioMode():
        fn(3)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("asynq", logging.WARNING)
    assert "asyncio mode does not support synchronous calls: double_in_two_steps" in record.message


@pytest.mark.parametrize("allowed", [True, False])
def test_allow_sync_call_says_nothing_about_calls_outside_of_asyncio_mode(allowed, caplog):
    fn = asynq(allow_sync_call=allowed)(lambda: 1)
    assert fn.allow_sync_call is allowed
    assert fn() == fn.asynq().value() == 1
    assert caplog.records == []


def test_synchronous_calls_are_not_allowed_unless_asked_for():
    assert double.allow_sync_call is False
    assert proxied_double.allow_sync_call is False


def test_the_body_of_an_allowed_synchronous_call_may_use_batches(caplog):
    @asynq(allow_sync_call=True)
    def fn():
        return (yield DebugBatchItem(result=1))

    with AsyncioMode():
        assert fn() == 1


# Functions of unknown kind


class OnlyAsynq:
    """A function without `asyncio`."""

    def asynq(self, x):
        return double.asynq(x)


@pytest.mark.parametrize(
    "fn",
    [
        double,
        pure_double,
        proxied_double,
        double_by_batch,
        lazy(lambda x: 2 * x),
        twice(asynq()(lambda x: x)),
        OnlyAsynq(),
        lambda x: 2 * x,
    ],
)
def test_async_call_calls_any_kind_of_function(fn):
    @asynq()
    def caller(fn, x):
        return (yield async_call.asynq(fn, x))

    assert asyncio.run(caller.asyncio(fn, 3)) == 6
    assert asyncio.run(async_call.asyncio(fn, 3)) == 6
    assert asyncio.run(asyncio_call(fn, 3)) == 6
