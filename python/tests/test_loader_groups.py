"""Groups of loaders: how loaders join them, their scope and their clear."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import pickle
import threading
import weakref
from operator import attrgetter
from typing import NamedTuple

import pytest
from threads import in_thread

import asynq
from asynq.loaders import Group, Loader


class Counted:
    """A batch function that returns its keys, with a name, and counts its calls."""

    def __init__(self, name="value"):
        self.name = name
        self.calls = 0

    def __call__(self, keys):
        self.calls += 1
        return [f"{self.name} {key}" for key in keys]


@pytest.fixture
def group():
    return Group()


# Scopes


def test_each_loader_of_a_group_has_a_cache_of_its_own_in_a_scope(group):
    functions = [Counted("user"), Counted("post")]
    user, post = [Loader(function, group=group) for function in functions]
    with group.scope():
        assert [user(1), post(1), user(1), post(1)] == ["user 1", "post 1", "user 1", "post 1"]
    assert [function.calls for function in functions] == [1, 1]


def test_caches_end_with_the_scope(group):
    function = Counted()
    loader = Loader(function, group=group)
    for _ in range(2):
        with group.scope():
            loader(1)
    loader(1)
    assert function.calls == 3


def test_a_scope_hides_the_cache_of_a_loader(group):
    function = Counted()
    loader = Loader(function, group=group, cache=True)
    loader(1)
    with group.scope():
        loader(1)
        loader.prime(2, "primed")
        assert loader(2) == "primed"
    assert loader(2) == "value 2"
    loader(1)
    assert function.calls == 3


def test_a_loader_may_join_during_a_scope(group):
    function = Counted()
    with group.scope():
        loader = Loader(function, group=group)
        loader(1), loader(1)
    assert function.calls == 1


def test_a_scope_may_be_entered_inside_itself_and_again(group):
    function = Counted()
    loader = Loader(function, group=group)
    scope = group.scope()
    with scope, scope:
        loader(1)
    with scope:
        loader(1)
    assert function.calls == 1
    loader(1)
    assert function.calls == 2


def test_the_innermost_scope_counts_whether_it_is_of_the_loader_or_the_group(group):
    function, other_function = Counted(), Counted()
    loader, other = Loader(function, group=group), Loader(other_function, group=group)
    with group.scope():
        loader(1), other(1)
        with loader.scope():
            loader(1), other(1)
            assert (function.calls, other_function.calls) == (2, 1)
            with group.scope():
                loader(1), other(1)
                assert (function.calls, other_function.calls) == (3, 2)
            loader(1), other(1)
        loader(1), other(1)
    assert (function.calls, other_function.calls) == (3, 2)


def test_scopes_of_two_groups_are_independent():
    groups = [Group(), Group()]
    functions = [Counted(), Counted()]
    first, second = [Loader(function, group=one) for function, one in zip(functions, groups)]
    with groups[0].scope():
        first(1), first(1), second(1), second(1)
        with groups[1].scope():
            first(1), second(1), second(1)
    assert [function.calls for function in functions] == [1, 3]


def test_a_scope_follows_the_tasks_that_are_called_in_it(group):
    function = Counted()
    loader = Loader(function, group=group)

    @asynq.asynq()
    def twice(key):
        yield loader.asynq(key)
        yield loader.asynq(key)

    @asynq.asynq()
    def request(key):
        with group.scope():
            yield twice.asynq(key)

    @asynq.asynq()
    def requests():
        yield [request.asynq(1), request.asynq(1)]

    requests()
    assert function.calls == 1
    requests()
    assert function.calls == 2


def test_a_scope_follows_coroutines_and_is_seen_by_no_other(group):
    function = Counted()
    loader = Loader(function, group=group)

    async def load():
        await loader.asyncio(1)
        await loader.asyncio(1)

    async def request():
        with group.scope():
            await asyncio.gather(load())

    async def main():
        await request()
        assert function.calls == 1
        await request()
        assert function.calls == 2
        await loader.asyncio(1)

    asyncio.run(main())
    assert function.calls == 3


@pytest.mark.parametrize("settings", [{}, {"blocking": True}], ids=["plain", "blocking"])
def test_a_batch_function_is_in_no_scope_of_those_who_ask(group, settings):
    function = Counted()
    inner = Loader(function, group=group)
    outer = Loader(lambda keys: inner.load_many(keys), group=group, **settings)
    with group.scope():
        assert [outer(1), inner(1), inner(1)] == ["value 1"] * 3
    assert function.calls == 2


def test_a_scope_is_not_seen_by_another_thread(group):
    function = Counted()
    loader = Loader(function, group=group)
    with group.scope():
        loader(1)
        in_thread(loader, 1)
    assert function.calls == 2


def test_nothing_of_a_scope_is_left_in_the_context(group):
    kept = group.scope()
    reference = weakref.ref(kept)
    with kept:
        Loader(Counted(), group=group)(1)
    del kept
    gc.collect()
    assert reference() is None


# Clear


def test_clear_all_clears_the_caches_of_all_loaders(group):
    functions = [Counted(), Counted()]
    loaders = [Loader(function, group=group, cache=True) for function in functions]
    for loader in loaders:
        loader(1), loader(1)
    group.clear_all()
    for loader in loaders:
        loader(1)
    assert [function.calls for function in functions] == [2, 2]


def test_clear_all_in_a_scope_clears_only_the_scope(group):
    function = Counted()
    loader = Loader(function, group=group, cache=True)
    loader(1)
    with group.scope():
        loader(1)
        group.clear_all()
        loader(1)
    loader(1)
    assert function.calls == 3


def test_a_value_in_flight_is_not_cached_after_clear_all(group):
    answer = ["stale"]
    started, cleared = threading.Event(), threading.Event()

    def function(keys):
        value = answer[0]
        started.set()
        cleared.wait(30)
        return [value for _ in keys]

    loader = Loader(function, group=group, blocking=True, cache=True)
    thread = threading.Thread(target=loader, args=(1,))
    thread.start()
    started.wait(30)
    answer[0] = "fresh"
    group.clear_all()
    cleared.set()
    thread.join()
    assert loader(1) == "fresh"


# Loaders that are methods


class Request:
    def __init__(self, group=None):
        self.group = group or Group()
        self.calls = 0

    @asynq.loader(group=lambda self: self.group)
    def user(self, ids):
        self.calls += 1
        return [f"user {id}" for id in ids]

    @asynq.loader(group=lambda self: self.group, cache=True)
    def post(self, ids):
        self.calls += 1
        return [f"post {id}" for id in ids]


def test_methods_have_the_group_of_their_instance():
    first, second = Request(), Request()
    with first.group.scope():
        for request in (first, first, second, second):
            request.user(1)
    assert (first.calls, second.calls) == (1, 2)


def test_clear_all_reaches_the_loaders_of_instances():
    request = Request()
    request.post(1), request.post(1)
    request.group.clear_all()
    request.post(1)
    assert request.calls == 2


def test_objects_may_share_a_group():
    group = Group()
    requests = [Request(group), Request(group)]
    with group.scope():
        for request in requests:
            request.user(1), request.user(1)
    assert [request.calls for request in requests] == [1, 1]


def test_a_group_given_directly_belongs_to_all_instances():
    group = Group()

    class Users:
        calls = 0

        @asynq.loader(group=group)
        def user(self, ids):
            self.calls += 1
            return ids

    users = [Users(), Users()]
    with group.scope():
        for one in users:
            one.user(1), one.user(1)
    assert [one.calls for one in users] == [1, 1]


def test_the_function_is_called_once_for_each_loader_of_an_instance():
    asked = []

    class Users:
        group = Group()

        def find(self):
            asked.append(self)
            return self.group

        @asynq.loader(group=find)
        def user(self, ids):
            return ids

    users = Users()
    for key in range(3):
        users.user(key)
    assert asked == [users]


def test_the_function_may_return_none():
    class Users:
        @asynq.loader(group=lambda self: None)
        def user(self, ids):
            return ids

    assert Users().user(7) == 7


class Slotted:
    __slots__ = ("calls", "group")

    def __init__(self):
        self.group = Group()
        self.calls = []

    @asynq.loader(group=attrgetter("group"))
    def user(self, ids):
        self.calls.append(ids)
        return ids


@dataclasses.dataclass(frozen=True)
class Frozen:
    group: Group = dataclasses.field(default_factory=Group)
    calls: list = dataclasses.field(default_factory=list)
    user = Slotted.user


class OfTuple(NamedTuple):
    group: Group
    calls: list
    user = Slotted.user


@pytest.mark.parametrize("new", [Slotted, Frozen, lambda: OfTuple(Group(), [])])
def test_instances_of_all_classes_have_a_scope(new):
    instance = new()
    with instance.group.scope():
        instance.user(1)
        gc.collect()
        instance.user(1)
    instance.user(1)
    assert len(instance.calls) == 2


def test_a_class_method_has_the_group_of_its_class():
    class Users:
        group = Group()
        calls = 0

        @asynq.loader(group=attrgetter("group"))
        @classmethod
        def user(cls, ids):
            cls.calls += 1
            return ids

    with Users.group.scope():
        Users.user(1), Users().user(1)
    assert Users.calls == 1


@pytest.mark.parametrize("new", [Request, Slotted, Frozen])
def test_a_group_keeps_neither_loaders_nor_instances_alive(new):
    gc.disable()
    try:
        instance = new()
        group = instance.group
        with group.scope():
            instance.user(1)
            assert group._loaders
            dead = weakref.ref(instance) if new is not Slotted else None
            if dead:
                del instance
                assert dead() is None
                assert not group._loaders
        if not dead:
            del instance
            assert not group._loaders
    finally:
        gc.enable()


def copied(instance):
    return pickle.loads(pickle.dumps(instance))


@pytest.mark.parametrize("copied", [copy.deepcopy, copied], ids=["deepcopy", "pickle"])
def test_a_deep_copy_of_an_object_has_a_group_of_its_own(copied):
    request = Request(Group(max_in_flight=3))
    request.user(1)
    other = copied(request)
    assert other.group is not request.group
    assert other.group.max_in_flight == 3
    with request.group.scope():
        other.user(1), other.user(1)
    assert other.calls == 3


def test_a_shallow_copy_of_an_object_shares_its_group():
    request = Request()
    other = copy.copy(request)
    with request.group.scope():
        other.user(1), other.user(1)
    assert other.calls == 1


# Errors


@pytest.mark.parametrize("group", [7, "group", Group, [Group()]])
def test_a_setting_that_is_no_group_is_refused(group):
    with pytest.raises(TypeError, match="group must be a Group, or a function of the instance"):
        asynq.loader(group=group)


def test_a_function_that_returns_no_group_is_an_error():
    class Users:
        @asynq.loader(group=lambda self: 7)
        def user(self, ids):
            return ids

    with pytest.raises(
        TypeError, match=r"group of the loader .*Users\.user must be a Group, got 7"
    ):
        Users().user(1)


def test_a_function_is_only_for_methods():
    @asynq.loader(group=lambda self: Group())
    def user(ids):
        return ids

    class Users:
        @asynq.loader(group=lambda self: Group())
        @staticmethod
        def user(ids):
            return ids

    for loader in (user, Users.user):
        with pytest.raises(TypeError, match="the loader is not a method: give it a Group"):
            loader(1)


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (0, ValueError, "max_in_flight must be 1 or more, got 0"),
        ("3", TypeError, "max_in_flight must be an int, got '3'"),
        (True, TypeError, "max_in_flight must be an int, got True"),
    ],
)
def test_a_limit_must_be_a_count(count, error, message):
    with pytest.raises(error, match=message):
        Group(max_in_flight=count)
