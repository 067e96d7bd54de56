"""Loaders on classes: how they bind, and that they die with their instances."""

import abc
import copy
import dataclasses
import enum
import gc
import pickle
import sys
import weakref
from typing import NamedTuple

import pytest

import asynq
from asynq.loaders import Loader


class Plain:
    def __init__(self, tenant="a"):
        self.tenant = tenant

    @asynq.loader
    def user(self, ids):
        return [f"{self.tenant}/{id}" for id in ids]

    @asynq.loader(cache=True)
    def cached(self, ids):
        return [f"{self.tenant}/{id}" for id in ids]


class Slotted:
    __slots__ = ("tenant",)

    def __init__(self, tenant="a"):
        self.tenant = tenant

    user = Plain.user
    cached = Plain.cached


class Weak(Slotted):
    __slots__ = ("__weakref__",)


@dataclasses.dataclass(frozen=True)
class Frozen:
    tenant: str = "a"
    user = Plain.user
    cached = Plain.cached


@dataclasses.dataclass
class Unhashable:
    tenant: str = "a"
    user = Plain.user
    cached = Plain.cached


class AllEqual(Plain):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class OfInt(int):
    tenant = "a"
    user = Plain.user


class OfTuple(NamedTuple):
    tenant: str = "a"
    user = Plain.user


WITH_ROOM = [Plain, Weak, Frozen, Unhashable, AllEqual]
CLASSES = [*WITH_ROOM, Slotted, OfInt, OfTuple]


@asynq.asynq()
def both(first, second):
    return (yield first, second)


@pytest.mark.parametrize("cls", CLASSES)
def test_instances_of_any_class_have_loaders(cls):
    instance = cls()
    assert [instance.user(1), instance.user(key=2)] == ["a/1", "a/2"]
    assert instance.user.load_many([3, 4]) == ["a/3", "a/4"]


@pytest.mark.parametrize("cls", CLASSES)
def test_loads_of_one_instance_are_one_batch(cls):
    instance = cls()
    first = instance.user.asynq(1)
    second = instance.user.asynq(2)
    loader = instance.user
    assert both(first, second) == ("a/1", "a/2")
    assert loader.stats.batches == 1


@pytest.mark.parametrize("cls", CLASSES)
def test_nothing_of_a_loader_is_in_its_instance(cls):
    instance = cls()
    before = dict(getattr(instance, "__dict__", {}))
    load = instance.user.asynq(1)
    assert getattr(instance, "__dict__", {}) == before
    load.value()


@pytest.mark.parametrize("cls", WITH_ROOM)
def test_an_instance_dies_without_the_collector(no_garbage_yet, cls):
    instance = cls()
    instance.user(1)
    instance.cached(1)
    both(instance.user.asynq(1), instance.cached.asynq(2))
    dies = weakref.ref(instance)
    del instance
    assert dies() is None


def test_a_cache_dies_with_its_instance(no_garbage_yet):
    class Value:
        pass

    class Store:
        @asynq.loader(cache=True)
        def value(self, keys):
            return [Value() for _ in keys]

    store = Store()
    dies = weakref.ref(store.value(1))
    assert dies() is not None
    del store
    assert dies() is None


def test_an_instance_dies_whose_load_nobody_has_awaited():
    instance = Plain()
    dies = weakref.ref(instance)
    instance.user.asynq(1)
    del instance
    gc.collect()
    assert dies() is None


def test_a_loader_keeps_its_instance():
    user = Plain().user
    assert user(1) == "a/1"


def test_a_load_keeps_its_instance():
    load = Plain("b").user.asynq(1)
    assert load.value() == "b/1"


@pytest.mark.parametrize("cls", [Frozen, AllEqual, OfInt, OfTuple])
def test_equal_instances_do_not_share(cls):
    first, second = cls(), cls()
    assert first == second
    assert first.user is not second.user
    loads = first.user.asynq(1), second.user.asynq(1)
    assert loads[0] is not loads[1]
    assert both(*loads) == ("a/1", "a/1")


@pytest.mark.parametrize("cls", WITH_ROOM)
def test_each_instance_has_its_own_cache(cls):
    first, second = cls("a"), cls("b")
    assert [first.cached(1), second.cached(1)] == ["a/1", "b/1"]
    assert [first.cached(1), second.cached(1)] == ["a/1", "b/1"]
    assert (first.cached.stats.hits, first.cached.stats.batches) == (1, 1)


def test_an_address_that_is_used_again_gets_a_new_loader():
    for number in range(100):
        assert Plain(number).cached(1) == f"{number}/1"


def test_a_cache_needs_an_instance_that_can_be_weakly_referenced():
    with pytest.raises(
        TypeError, match=r"cached has cache=True, and Slotted .* __slots__ of Slotted"
    ):
        Slotted().cached(1)


def test_a_scope_caches_for_an_instance_that_cannot_be_weakly_referenced():
    instance = Slotted()
    with instance.user.scope():
        instance.user(1)
        instance.user(1)
        assert instance.user.stats.keys == 1


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
@pytest.mark.parametrize("cls", CLASSES)
def test_a_copy_has_a_loader_of_its_own(cls, again):
    first = cls()
    loader = first.user
    loader(1)
    second = again(first)
    assert second.user(1) == "a/1"
    if second is not first:
        assert second.user is not loader


def test_a_subclass_asks_its_base_by_super():
    class Checked(Plain):
        @asynq.loader
        def user(self, ids):
            base = super().user
            return [base(id) if id != 7 else PermissionError("not yours") for id in ids]

    instance = Checked()
    for _ in range(2):
        assert super(Checked, instance).user(7) == "a/7"
        assert instance.user(1) == "a/1"
        with pytest.raises(PermissionError):
            instance.user(7)


def test_a_loader_may_be_under_an_abstract_method_and_above():
    class Base(abc.ABC):
        @asynq.loader
        @abc.abstractmethod
        def inner(self, keys):
            """Values."""

        @abc.abstractmethod
        @asynq.loader
        def outer(self, keys):
            """Values."""

    assert Base.__abstractmethods__ == {"inner", "outer"}


def test_a_loader_in_an_enum_is_no_member():
    class Color(enum.Enum):
        RED = 1

        @asynq.loader
        def shade(self, keys):
            return [f"{self.name} {key}" for key in keys]

    assert list(Color) == [Color.RED]
    assert Color.RED.shade(2) == "RED 2"


# Class methods and static methods


class Classy:
    tenant = "a"

    @asynq.loader
    @classmethod
    def of_class(cls, ids):
        return [f"{cls.tenant}/{id}" for id in ids]

    @asynq.loader(cache=True)
    @classmethod
    def cached(cls, ids):
        return [f"{cls.tenant}/{id}" for id in ids]

    @asynq.loader
    @staticmethod
    def static(ids):
        return [-id for id in ids]

    @staticmethod
    @asynq.loader
    def outer_static(ids):
        return [-id for id in ids]


class SubClassy(Classy):
    tenant = "b"


@pytest.mark.parametrize("name", ["of_class", "cached"])
def test_a_loader_above_classmethod_binds_to_the_class(name):
    for owner, tenant in ((Classy, "a"), (SubClassy, "b")):
        for obj in (owner, owner()):
            assert getattr(obj, name)(1) == f"{tenant}/1"
            assert getattr(obj, name).load_many([2]) == [f"{tenant}/2"]
    assert Classy().of_class(3) == "a/3"
    assert Classy.of_class is Classy().of_class
    assert Classy.of_class is not SubClassy.of_class


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_loader_of_a_class_is_copied_by_name(again):
    loader = SubClassy.of_class
    assert again(loader) is loader


def test_a_class_with_a_loader_dies(no_garbage_yet):
    class Local(Classy):
        pass

    Local.cached(1)
    dies = weakref.ref(Local)
    del Local
    gc.collect()  # A class is a cycle in itself.
    assert dies() is None


@pytest.mark.parametrize("name", ["static", "outer_static"])
def test_a_static_loader_is_one_for_all(name):
    assert getattr(Classy, name) is getattr(SubClassy(), name)
    assert [getattr(Classy, name)(1), getattr(SubClassy(), name)(2)] == [-1, -2]
    assert Classy().static(3) == -3


def test_a_loader_below_classmethod_binds_or_says_what_to_write():
    class Store:
        @classmethod
        @asynq.loader
        def user(cls, ids):
            return [f"{cls.__name__} {id}" for id in ids]

    if sys.version_info < (3, 13):
        assert Store.user(1) == Store().user(1) == "Store 1"
        return
    with pytest.raises(TypeError, match="write @loader above @classmethod"):
        Store.user(1)
    with pytest.raises(TypeError, match="write @loader above @classmethod"):
        Store.user.asynq(1)


def test_the_loader_of_a_class_says_that_it_needs_an_instance():
    with pytest.raises(TypeError, match=r"Plain.user is a method: ask it as an attribute"):
        Plain.user(1)
    assert Plain.user(Plain(), 1) == "a/1"


@pytest.mark.parametrize("arguments", [(), (1, 2), (1, 2, 3)])
def test_a_loader_takes_one_key(arguments):
    with pytest.raises(TypeError, match="takes one argument, the key"):
        Loader(list)(*arguments)


def test_a_loader_that_is_not_bound_is_an_ordinary_attribute():
    class Store:
        pass

    Store.user = Plain("b").user
    assert Store().user(1) == "b/1"


def test_attributes_of_a_class_of_loaders_are_those_of_bound_loaders():
    class Counting(Loader):
        def __init__(self, fn, **settings):
            super().__init__(fn, **settings)
            self.table = "users"

    class Store:
        user = Counting(lambda self, ids: ids)

    assert Store().user.table == "users"
