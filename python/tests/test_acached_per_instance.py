"""`acached_per_instance`: methods that keep their values with their object."""

import gc
import pickle

import pytest

from asynq import asynq, get_active_task
from asynq.batching import DebugBatchItem
from asynq.tools import (
    acached_per_instance,
)


@asynq()
def wait():
    yield DebugBatchItem()


class Source:
    def __init__(self):
        self.calls = []

    @acached_per_instance()
    @asynq()
    def get(self, key, suffix="", *rest, mark=None):
        """Gets a value."""
        self.calls.append((key, suffix, rest, mark))
        yield wait.asynq()
        return key, suffix, rest, mark

    @acached_per_instance()
    @asynq()
    def only_keyword(self, *, key=1):
        self.calls.append(key)
        return key

    @acached_per_instance()
    @asynq()
    def fail(self):
        self.calls.append("fail")
        raise KeyError

    @acached_per_instance()
    @asynq()
    def none(self):
        self.calls.append("none")


class Unhashable(Source):
    __hash__ = None


class Slots:
    __slots__ = ("__weakref__", "calls")

    __init__ = Source.__init__
    get = vars(Source)["get"]


@pytest.mark.parametrize("cls", [Source, Unhashable, Slots])
def test_a_method_is_called_once_for_equal_arguments(cls):
    source = cls()
    for _ in range(2):
        assert source.get("k") == source.get.asynq("k").value() == ("k", "", (), None)
    assert len(source.calls) == 1


def test_arguments_by_position_name_or_default_are_equal():
    source = Source()
    for args, kwargs in [
        (("k",), {}),
        (("k", ""), {}),
        ((), {"key": "k"}),
        (("k",), {"suffix": "", "mark": None}),
        ((), {"suffix": "", "key": "k"}),
    ]:
        assert source.get(*args, **kwargs) == ("k", "", (), None)
    assert len(source.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("l",), {}),
        (("k", "s"), {}),
        (("k",), {"suffix": "t"}),
        (("k",), {"mark": 1}),
        (("k", "", 1), {}),
        (("k", "", None), {}),
    ],
)
def test_different_arguments_are_different(args, kwargs):
    source = Source()
    first = source.get("k")
    assert source.get(*args, **kwargs) != first
    assert len(source.calls) == 2


def test_a_keyword_only_argument_counts():
    source = Source()
    assert source.only_keyword() == source.only_keyword(key=1) == 1
    assert source.only_keyword(key=2) == 2
    assert source.calls == [1, 2]


def test_none_is_remembered():
    source = Source()
    assert source.none() is source.none() is None
    assert source.calls == ["none"]


def test_objects_do_not_share_their_values():
    one, other = Source(), Source()
    one.get("k")
    other.get("k")
    assert one.calls == other.calls == [("k", "", (), None)]


def test_an_error_is_not_remembered():
    source = Source()
    for _ in range(2):
        with pytest.raises(KeyError):
            source.fail()
    assert source.calls == ["fail", "fail"]
    assert get_active_task() is None


def test_missing_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="key"):
        Source().get(suffix="x")


def test_unknown_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Source().get("k", unknown=1)


def test_the_values_go_with_their_object():
    class Source:
        @acached_per_instance()
        @asynq()
        def get(self, key):
            return [key]

    cache = Source.get.decorator.__acached_per_instance_cache__
    source = Source()
    source.get("k")
    source.get("l")
    assert len(cache) == 1
    del source
    gc.collect()
    assert len(cache) == 0


def test_an_object_that_allows_no_weak_references_is_a_type_error():
    class NoWeakReferences:
        __slots__ = ()
        none = vars(Source)["none"]

    with pytest.raises(TypeError, match="weak reference"):
        NoWeakReferences().none()


def test_the_values_are_not_pickled_with_their_object():
    source = Source()
    source.get("k")
    source.calls.clear()
    copy = pickle.loads(pickle.dumps(source))
    copy.get("k")
    assert len(copy.calls) == 1


def test_a_cached_method_keeps_its_name():
    decorator = Source.get.decorator
    assert (decorator.__name__, decorator.__doc__) == ("get", "Gets a value.")
