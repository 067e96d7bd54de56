"""Cache keys made of arguments: equal exactly for calls that give parameters equal values."""

import asyncio

import pytest

from asynq import ConstFuture, async_proxy, asynq, make_async_decorator
from asynq._argument_key import argument_key, original_fn
from asynq.tools import acached_per_instance, alru_cache, aretry, deduplicate


def test_the_original_function_is_inside_all_decorators():
    def fn():
        raise NotImplementedError

    class Wrapper:
        def __init__(self, fn):
            self.fn = fn

    assert original_fn(fn) is fn
    assert original_fn(staticmethod(fn)) is original_fn(classmethod(fn)) is fn
    assert original_fn(Wrapper(staticmethod(Wrapper(fn)))) is fn
    assert original_fn(aretry(KeyError)(asynq()(fn))) is fn


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((1, 2, 3), {}), ((1, 2), {"d": 3})),
        (((1, 2), {"d": 3}), ((1, 2), {"e": 3})),
        (((1, 2, ()), {}), ((1, 2), {})),
        (((1, 2, (3,)), {}), ((1, 2, 3), {})),
        (((1,), {"c": 2}), ((1,), {"b": 2})),
    ],
)
def test_keys_of_different_calls_differ(one, other):
    def fn(a, b=0, *rest, c=0, **others):
        raise NotImplementedError

    key = argument_key(fn)
    assert key(*one) != key(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((1,), {"a": 2}), ((1,), {})),
        (((5,), {}), ((), {"a": 5})),
        (((), {"a": 0}), ((), {})),
        (((1, 5), {}), ((1,), {"b": 5})),
    ],
)
def test_a_keyword_is_not_the_positional_only_parameter_of_the_same_name(one, other):
    def fn(a=0, b=1, /, **others):
        raise NotImplementedError

    key = argument_key(fn)
    assert key(*one) != key(*other)


def test_a_positional_only_argument_without_a_value_is_a_type_error_that_names_it():
    def fn(a, /, **others):
        raise NotImplementedError

    with pytest.raises(TypeError, match=r"fn\(\) missing a required argument: 'a'"):
        argument_key(fn)((), {"a": 1})


def test_an_object_left_out_of_the_key_may_be_positional_only():
    def fn(self, a=1, /, *, self_=2, **others):
        raise NotImplementedError

    key = argument_key(fn, skip=1)
    assert key((), {}) == key((1,), {"self_": 2}) != key((), {"self": 3})


def test_the_object_of_a_bound_method_is_no_argument():
    class Service:
        def fn(self, a, b=2):
            raise NotImplementedError

    key = argument_key(Service().fn)
    assert key((1,), {}) == key((), {"b": 2, "a": 1}) == (1, 2)


def test_a_function_without_known_parameters_has_no_keys():
    with pytest.raises(TypeError, match="the parameters of dict are unknown"):
        argument_key(dict)


@pytest.mark.parametrize("decorate", [alru_cache(), deduplicate()], ids=["alru_cache", "dedup"])
def test_calls_that_differ_in_a_keyword_named_like_a_parameter_get_their_own_values(decorate):
    @decorate
    @asynq()
    def find(user="me", /, **filters):
        return user, filters

    @asynq()
    def both():
        return (yield find.asynq("bob"), find.asynq(user="bob"), find.asynq("bob", user="ann"))

    assert both() == (("bob", {}), ("me", {"user": "bob"}), ("bob", {"user": "ann"}))


def echo(**keywords):
    return keywords


class Echo:
    @acached_per_instance()
    @asynq()
    def cached(this, /, **keywords):
        return keywords


def doubled(fn):
    return make_async_decorator(fn, fn.asynq, "doubled")


@pytest.mark.parametrize(
    "fn",
    [
        asynq()(echo),
        asynq(sync_fn=echo)(echo),
        async_proxy()(lambda **keywords: ConstFuture(keywords)),
        async_proxy(sync_fn=echo)(lambda **keywords: ConstFuture(keywords)),
        doubled(asynq()(echo)),
        alru_cache()(asynq()(echo)),
        deduplicate()(asynq()(echo)),
        aretry(KeyError)(asynq()(echo)),
        Echo().cached,
    ],
    ids=["asynq", "pair", "proxy", "proxy_pair", "made", "alru", "deduplicate", "aretry", "cached"],
)
def test_no_name_of_a_keyword_is_reserved(fn):
    keywords = dict.fromkeys(["self", "this", "fn", "args", "kwargs", "instance", "key"], 1)

    @asynq()
    def call():
        return (yield fn.asynq(**keywords))

    assert call() == fn(**keywords) == asyncio.run(fn.asyncio(**keywords)) == keywords


def test_the_order_of_keywords_does_not_matter():
    def fn(**others):
        raise NotImplementedError

    key = argument_key(fn)
    assert key((), {"a": 1, "b": 2}) == key((), {"b": 2, "a": 1})


def test_parameters_can_be_left_out_of_the_key():
    def fn(self, a, b=2):
        raise NotImplementedError

    key = argument_key(fn, skip=1)
    assert key((1,), {}) == key((), {"a": 1, "b": 2}) == (1, 2)


def test_a_missing_argument_is_a_type_error_that_names_it():
    def fn(a, b):
        raise NotImplementedError

    with pytest.raises(TypeError, match=r"fn\(\) missing a required argument: 'b'"):
        argument_key(fn)((1,), {})
