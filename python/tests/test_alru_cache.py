"""`alru_cache`: functions that keep the values used last."""

import pytest

from asynq import asynq
from asynq._lru import Lru
from asynq.batching import DebugBatchItem
from asynq.tools import (
    alru_cache,
)


@asynq()
def wait():
    yield DebugBatchItem()


# alru_cache


class Counted:
    """A function that records its calls."""

    def __init__(self):
        self.calls = []

    def cached(self, **options):
        @alru_cache(**options)
        @asynq()
        def fn(a, b=2, *rest, c=3, **others):
            self.calls.append((a, b, rest, c, others))
            yield wait.asynq()
            return a, b, rest, c, others

        return fn


def test_a_function_is_called_once_for_equal_arguments():
    counted = Counted()
    fn = counted.cached()
    for args, kwargs in [
        ((1,), {}),
        ((1, 2), {}),
        ((), {"a": 1}),
        ((1,), {"c": 3, "b": 2}),
    ]:
        assert fn(*args, **kwargs) == fn.asynq(*args, **kwargs).value() == (1, 2, (), 3, {})
    assert len(counted.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((1,), {"b": 5}),
        ((1,), {"c": 5}),
        ((1, 3), {}),
        ((1, 2, 3), {}),
        ((1, 2, 3), {"c": 5}),
        ((1,), {"d": 4}),
        ((), {"a": 7}),
    ],
)
def test_the_result_is_that_of_the_arguments(args, kwargs):
    counted = Counted()
    fn = counted.cached()
    fn(1)
    assert fn(*args, **kwargs) == counted.calls[-1]
    assert len(counted.calls) == 2


def test_the_arguments_used_longest_ago_are_forgotten():
    counted = Counted()
    fn = counted.cached(maxsize=2)
    for a in (1, 2, 1, 3, 1, 2):
        fn(a)
    assert [call[0] for call in counted.calls] == [1, 2, 3, 2]


def test_128_arguments_are_remembered_unless_told_otherwise():
    counted = Counted()
    fn = counted.cached()
    for a in [*range(128), 0, 128, 0, 1]:
        fn(a)
    assert [call[0] for call in counted.calls] == [*range(129), 1]


def test_key_fn_makes_the_key():
    counted = Counted()
    fn = counted.cached(key_fn=lambda args, kwargs: args[0] % 2)
    assert [fn(1)[0], fn(3)[0], fn(2)[0], fn(4)[0]] == [1, 1, 2, 2]


def test_each_function_has_a_cache_of_its_own():
    one, other = Counted(), Counted()
    one.cached()(1)
    other.cached()(1)
    assert len(one.calls) == len(other.calls) == 1


def test_the_object_of_a_method_is_part_of_the_key():
    class Named:
        def __init__(self, name):
            self.name = name

        @alru_cache()
        @asynq()
        def get(self, key, suffix=""):
            return self.name, key, suffix

    one, other = Named("one"), Named("other")
    assert [one.get("k"), other.get("k"), one.get("k", suffix="s")] == [
        ("one", "k", ""),
        ("other", "k", ""),
        ("one", "k", "s"),
    ]


def test_an_error_of_a_function_is_not_remembered():
    calls = []

    @alru_cache()
    @asynq()
    def fn():
        calls.append(1)
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            fn()
        assert caught.value.__context__ is None
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("maxsize", "error"), [(0, ValueError), (-1, ValueError), (None, TypeError)]
)
def test_a_size_that_makes_no_sense_is_an_error(maxsize, error):
    with pytest.raises(error, match="maxsize must be"):
        alru_cache(maxsize=maxsize)(wait)


def test_arguments_that_cannot_be_hashed_are_a_type_error():
    with pytest.raises(TypeError, match="unhashable"):
        Counted().cached()([])


# The cache of limited size


def test_reading_and_writing_keep_a_key():
    cache = Lru(2)
    cache["a"] = 1
    cache["b"] = 2
    assert cache["a"] == 1
    cache["c"] = 3
    cache["a"] = 4
    cache["d"] = 5
    assert (list(cache), len(cache)) == (["a", "d"], 2)
