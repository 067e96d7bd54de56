"""Loaders as methods: copies, pickles and base classes of the objects they belong to.

See also test_loader_bindings.py.
"""

import copy
import dataclasses
import inspect
import pickle
from unittest import mock

import pytest

import asynq


@asynq.loader
def global_loader(ids: list[int]):
    return {id: f"user {id}" for id in ids}


class Request:
    def __init__(self, tenant):
        self.tenant = tenant

    @asynq.loader(cache=True)
    def user(self, ids: list[int]):
        return {id: f"{self.tenant}/{id}" for id in ids}


class Shouting(Request):
    @asynq.loader
    def user(self, ids):
        return [value.upper() for value in super().user.load_many(ids)]


@dataclasses.dataclass(frozen=True)
class Frozen:
    tenant: str

    user = Request.user


def pickled(value):
    return pickle.loads(pickle.dumps(value))


COPIES = [copy.copy, copy.deepcopy, pickled]


@pytest.mark.parametrize("cls", [Request, Shouting])
@pytest.mark.parametrize("again", COPIES)
def test_a_copy_of_an_object_loads_for_itself(again, cls):
    first = cls("a")
    value = first.user(7)
    second = again(first)
    second.tenant = "b"
    assert second.user(7) == value.replace("a", "b").replace("A", "B")
    assert first.user(7) == value


@pytest.mark.parametrize("again", COPIES)
def test_a_copy_has_a_cache_of_its_own(again):
    first = Request("a")
    first.user.prime(7, "primed")
    assert again(first).user(7) == "a/7"


def test_replacing_a_field_of_a_frozen_object_gives_another_loader():
    first = Frozen("a")
    assert first.user(1) == "a/1"
    assert dataclasses.replace(first, tenant="b").user(1) == "b/1"
    assert dataclasses.asdict(first) == {"tenant": "a"}


def test_an_object_keeps_its_loader():
    request = Request("a")
    assert request.user is request.user
    assert copy.copy(request).user is not request.user


@pytest.mark.parametrize("again", COPIES)
def test_a_loader_is_copied_with_its_object(again):
    request, user = again([Request("a"), Request("b").user])
    assert (request.user(1), user(1)) == ("a/1", "b/1")


@pytest.mark.parametrize("again", COPIES)
def test_the_loader_of_a_module_or_class_stays_the_same(again):
    assert again(global_loader) is global_loader
    assert again(Request.user) is Request.user


def test_the_loader_of_a_bound_method_cannot_be_copied():
    with pytest.raises(TypeError, match="its function is a bound method"):
        copy.copy(asynq.Loader(Request("a").__init__))


@pytest.mark.parametrize("base_first", [False, True])
def test_a_base_class_and_a_subclass_have_loaders_of_their_own(base_first):
    request = Shouting("a")
    if base_first:
        assert super(Shouting, request).user(1) == "a/1"
    assert request.user(1) == "A/1"
    assert super(Shouting, request).user(1) == "a/1"
    assert super(Shouting, request).user is super(Shouting, request).user


def test_the_loader_of_an_object_can_be_replaced():
    request = Request("a")
    with mock.patch.object(request, "user", lambda id: f"fake {id}"):
        assert request.user(1) == "fake 1"
    assert request.user(1) == "a/1"


def test_another_loader_can_be_set_on_an_object():
    request = Request("a")
    request.user = global_loader
    assert request.user(1) == "user 1"
    del request.user
    assert request.user(1) == "a/1"


def test_deleting_what_was_not_set_is_an_attribute_error():
    with pytest.raises(AttributeError, match="user"):
        del Request("a").user


def test_a_loader_has_the_signature_of_one_key():
    assert str(inspect.signature(global_loader)) == "(key: int)"
    assert str(inspect.signature(Request("a").user)) == "(key: int)"
    assert str(inspect.signature(asynq.Loader(dict))) == "(key)"


def test_the_class_of_loaders_has_its_own_signature():
    assert "settings" in inspect.signature(asynq.Loader).parameters
