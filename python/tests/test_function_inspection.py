"""Functions that say whether another function is async, and `async_call` of any function."""

import pytest
from doubles import double, lazy_double, paired_double, plain_double, proxied_double, twice

from asynq import (
    ConstFuture,
    async_call,
    asynq,
    get_async_fn,
    get_async_or_sync_fn,
    has_async_fn,
    is_async_fn,
    is_pure_async_fn,
)
from asynq.decorators import AsyncDecorator


@asynq(pure=True)
def pure_double(x):
    return 2 * x


# Questions


class RefusesAttributes:
    def fn(self):
        raise NotImplementedError

    def __setattr__(self, name, value):
        raise AttributeError(name)


class OnlyOldName:
    def __init__(self, fn):
        setattr(self, "async", fn.asynq)


@pytest.mark.parametrize(
    ("fn", "has_asynq", "is_pure"),
    [
        (double, True, False),
        (pure_double, False, True),
        (proxied_double, True, False),
        (paired_double, True, False),
        (twice(double), True, False),
        (lazy_double, False, True),
        (plain_double, False, False),
        (len, False, False),
        (AsyncDecorator, True, False),
        (RefusesAttributes(), False, False),
        (OnlyOldName(double), True, False),
        (None, False, False),
    ],
)
def test_what_kind_of_function(fn, has_asynq, is_pure):
    assert has_async_fn(fn) is has_asynq
    assert is_pure_async_fn(fn) is is_pure
    assert is_async_fn(fn) is (has_asynq or is_pure)


def test_a_wrapper_with_an_attribute_fn_is_pure_if_that_is():
    class Wrapper:
        fn = pure_double

    class WrapperOfPlain:
        fn = staticmethod(plain_double)

    assert is_pure_async_fn(Wrapper)
    assert not is_pure_async_fn(WrapperOfPlain)


def test_the_async_function_of_a_function():
    assert get_async_fn(double) == double.asynq
    assert get_async_fn(pure_double) is pure_double
    assert get_async_fn(lazy_double) is lazy_double
    assert get_async_fn(OnlyOldName(double))(2).value() == 4


def test_the_async_function_of_a_plain_function_is_none():
    assert get_async_fn(plain_double) is None


def test_the_async_function_of_a_plain_function_can_be_made():
    wrapped = get_async_fn(plain_double, wrap_if_none=True)
    assert is_pure_async_fn(wrapped)
    future = wrapped(2)
    assert type(future) is ConstFuture
    assert future.value() == 4


def test_the_async_or_sync_function_of_a_function():
    assert get_async_or_sync_fn(double) == double.asynq
    assert get_async_or_sync_fn(plain_double) is plain_double
    assert get_async_or_sync_fn(pure_double) is pure_double
    assert get_async_or_sync_fn(OnlyOldName(double))(2).value() == 4


# async_call


@pytest.mark.parametrize(
    "fn",
    [double, pure_double, proxied_double, lazy_double, plain_double, OnlyOldName(double)],
)
def test_async_call_calls_any_kind_of_function(fn):
    assert async_call.asynq(fn, 3).value() == 6
    assert async_call.asynq(fn, x=3).value() == 6
    assert async_call(fn, 3) == 6


def test_async_call_of_a_plain_function_is_computed():
    assert type(async_call.asynq(plain_double, 3)) is ConstFuture


def test_async_call_of_a_plain_function_raises_at_once():
    with pytest.raises(ZeroDivisionError):
        async_call.asynq(lambda: 1 / 0)
