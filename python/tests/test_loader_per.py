"""`per`: loaders whose values depend on more than their keys."""

import asyncio
import contextvars
import copy
import gc
import pickle
import threading
import weakref

import pytest
from threads import in_thread

import asynq
from asynq import AsyncScopedValue, LoadError
from asynq.loaders import Group, Loader, Lru

tenant = contextvars.ContextVar("tenant")
role = contextvars.ContextVar("role", default="reader")
scoped = AsyncScopedValue("nobody")

KINDS = ["plain", "blocking", "async def", "async def in a plain function"]


def new_loader(calls, kind="async def", read=tenant.get, **settings):
    """Returns a loader whose values are those that `read()` returns in its function."""

    def function(keys):
        calls.append((read(), list(keys)))
        return [f"{key} of {read()}" for key in keys]

    async def coroutine(keys):
        await asyncio.sleep(0)
        return function(keys)

    settings = {"per": tenant, **settings}
    if kind == "async def":
        return Loader(coroutine, **settings)
    if kind == "async def in a plain function":
        return Loader(lambda keys: coroutine(keys), **settings)
    return Loader(function, blocking=kind == "blocking", **settings)


def as_tenant(name, function, *args):
    """Calls a function where the tenant is `name`."""

    def run():
        tenant.set(name)
        return function(*args)

    return contextvars.copy_context().run(run)


async def load_as(name, loader, key):
    tenant.set(name)
    return await loader.asyncio(key)


def load_all(loader, *requests):
    """Loads the keys of several tenants at once on an event loop."""

    async def main():
        return await asyncio.gather(*(load_as(name, loader, key) for name, key in requests))

    return asyncio.run(main())


@pytest.fixture
def calls():
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_sees_the_value_of_its_callers_on_a_thread(kind, calls):
    loader = new_loader(calls, kind)
    assert as_tenant("alice", loader, 1) == "1 of alice"
    assert as_tenant("bob", loader, 1) == "1 of bob"


@pytest.mark.parametrize("kind", KINDS)
def test_requests_of_one_event_loop_share_a_batch_if_they_see_the_same_value(kind, calls):
    loader = new_loader(calls, kind)
    requests = [("alice", 1), ("bob", 1), ("alice", 2), ("eve", 1)]
    answers = ["1 of alice", "1 of bob", "2 of alice", "1 of eve"]
    assert load_all(loader, *requests) == answers
    assert sorted(calls) == [("alice", [1, 2]), ("bob", [1]), ("eve", [1])]


def test_an_equal_key_in_flight_is_not_shared_with_another_value():
    async def main():
        gates = {"alice": asyncio.Event(), "bob": asyncio.Event()}

        async def load(keys):
            await gates[tenant.get()].wait()
            return [f"{key} of {tenant.get()}" for key in keys]

        loader = Loader(load, per=tenant)
        alice = asyncio.ensure_future(load_as("alice", loader, 1))
        bob = asyncio.ensure_future(load_as("bob", loader, 1))
        gates["bob"].set()
        assert await bob == "1 of bob"
        assert not alice.done()
        gates["alice"].set()
        return await alice

    assert asyncio.run(main()) == "1 of alice"


def test_each_value_has_a_cache_of_its_own(calls):
    loader = new_loader(calls, "plain", cache=True)
    for name in ("alice", "bob", "alice", "bob"):
        as_tenant(name, loader, 1)
    assert calls == [("alice", [1]), ("bob", [1])]


def test_what_is_cleared_and_primed_is_in_the_cache_of_the_callers_value(calls):
    loader = new_loader(calls, "plain", cache=True)
    as_tenant("alice", loader.prime, 1, "primed")
    assert [as_tenant(name, loader, 1) for name in ("alice", "bob")] == ["primed", "1 of bob"]
    as_tenant("alice", loader.clear, 1)
    assert as_tenant("alice", loader, 1) == "1 of alice"
    as_tenant("bob", loader.clear_all)
    as_tenant("bob", loader, 1)
    assert [name for name, _ in calls] == ["bob", "alice", "bob"]


def test_a_scope_has_a_cache_for_each_value(calls):
    loader = new_loader(calls, "plain")
    as_tenant("alice", loader, 0)

    def load_twice():
        return loader(1), loader(1)

    with loader.scope():
        answers = [as_tenant(name, load_twice) for name in ("alice", "bob")]
    assert answers == [("1 of alice",) * 2, ("1 of bob",) * 2]
    assert calls == [("alice", [0]), ("alice", [1]), ("bob", [1])]


def test_tasks_under_different_scoped_values_do_not_share_a_batch(calls):
    loader = new_loader(calls, "plain", scoped.get, per=scoped)

    @asynq.asynq()
    def page(name, key):
        with scoped.override(name):
            return (yield loader.asynq(key))

    @asynq.asynq()
    def pages():
        return (yield page.asynq("ann", 1), page.asynq("bob", 1), page.asynq("ann", 2))

    assert pages() == ("1 of ann", "1 of bob", "2 of ann")
    assert sorted(calls) == [("ann", [1, 2]), ("bob", [1])]


def test_a_loader_may_depend_on_several_values(calls):
    loader = new_loader(calls, read=lambda: (tenant.get(), role.get()), per=(tenant, role))

    async def main():
        async def request(name, as_role):
            role.set(as_role)
            return await load_as(name, loader, 1)

        return await asyncio.gather(
            request("alice", "reader"), request("alice", "writer"), request("bob", "writer")
        )

    asyncio.run(main())
    seen = sorted(value for value, _ in calls)
    assert seen == [("alice", "reader"), ("alice", "writer"), ("bob", "writer")]


def test_the_function_sees_the_variable_from_which_a_function_of_per_reads_its_value(calls):
    loader = new_loader(calls, per=lambda: tenant.get().lower())
    requests = [("Alice", 1), ("bob", 1), ("ALICE", 2)]
    assert [answer.lower() for answer in load_all(loader, *requests)] == [
        "1 of alice",
        "1 of bob",
        "2 of alice",
    ]
    assert [(name.lower(), keys) for name, keys in calls] == [("alice", [1, 2]), ("bob", [1])]


class Shop:
    """Something that ends, with a name."""

    current = contextvars.ContextVar("shop")

    def __init__(self, name):
        self.name = name


class PerShop:
    """Reads the current shop, for `per`."""

    def __call__(self):
        return weakref.ref(Shop.current.get())

    def restore(self, reference):
        Shop.current.set(reference())


def test_what_a_loader_keeps_for_a_weak_reference_ends_with_its_referent(calls):
    loader = new_loader(calls, read=lambda: Shop.current.get().name, per=PerShop(), cache=True)

    async def load(shop, key):
        Shop.current.set(shop)
        return await loader.asyncio(key)

    async def main(shops):
        found = await asyncio.gather(*(load(shop, key) for shop in shops for key in (1, 2)))
        return found, await load(shops[0], 1)

    shops = [Shop("Acme"), Shop("Bell")]
    found, again = asyncio.run(main(shops))
    assert found == ["1 of Acme", "2 of Acme", "1 of Bell", "2 of Bell"]
    assert again == "1 of Acme"
    assert sorted(calls) == [("Acme", [1, 2]), ("Bell", [1, 2])]
    acme, bell = map(weakref.ref, shops)
    del shops[0]
    gc.collect()
    assert acme() is None
    assert bell() is shops[0]
    assert len(loader._core._variants) == 1


def test_the_function_sees_no_variable_that_a_function_of_per_does_not_read():
    loader = Loader(lambda keys: [role.get() for _ in keys], per=lambda: tenant.get())

    def load():
        role.set("admin")
        return loader(1)

    assert as_tenant("alice", load) == "reader"


def test_the_function_sees_the_scoped_value_that_a_function_of_per_reads(calls):
    other = AsyncScopedValue("definition")
    loader = new_loader(calls, "plain", lambda: (scoped.get(), other.get()), per=lambda: scoped())
    with scoped.override("ann"), other.override("caller"):
        loader(1)
    assert calls == [(("ann", "definition"), [1])]


def test_a_value_that_changes_after_the_load_does_not_matter(calls):
    loader = new_loader(calls, "plain")

    @asynq.asynq()
    def page():
        tenant.set("alice")
        load = loader.asynq(1)
        tenant.set("bob")
        return (yield load)

    assert contextvars.copy_context().run(page) == "1 of alice"


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_that_a_function_loads_from_sees_the_same_value(kind, calls):
    inner = new_loader(calls, "plain")
    outer = Loader(lambda keys: [inner(key) for key in keys], blocking=True, per=tenant)
    if kind.startswith("async def"):

        async def load(keys):
            return await asyncio.gather(*map(inner.asyncio, keys))

        outer = Loader(load, per=tenant)
    assert as_tenant("alice", outer, 1) == "1 of alice"
    assert load_all(outer, ("bob", 1), ("eve", 1)) == ["1 of bob", "1 of eve"]


def test_loaders_of_threads_have_batches_of_their_own_for_one_value(calls):
    loader = new_loader(calls, "plain", cache=True)
    assert in_thread(as_tenant, "alice", loader, 1) == "1 of alice"
    assert in_thread(as_tenant, "alice", loader, 1) == "1 of alice"
    assert calls == [("alice", [1])]


class Store:
    def __init__(self, name):
        self.name = name

    @asynq.loader(per=tenant, cache=True)
    def row(self, keys):
        return [f"{key} of {tenant.get()} in {self.name}" for key in keys]


def test_a_loader_that_is_a_method_has_batches_for_each_instance_and_value():
    first, second = Store("first"), Store("second")
    answers = [as_tenant(name, store.row, 1) for store in (first, second) for name in ("a", "b")]
    assert answers == ["1 of a in first", "1 of b in first", "1 of a in second", "1 of b in second"]
    assert as_tenant("a", first.row, 1) == "1 of a in first"
    assert first.row.stats.batches == 2


def test_a_loader_of_a_value_does_not_keep_its_instance_alive():
    store = Store("first")
    as_tenant("alice", store.row, 1)
    reference = weakref.ref(store)
    del store
    gc.collect()
    assert reference() is None


def test_the_limit_of_a_group_holds_for_all_values():
    running, most = [], []
    group = Group(max_in_flight=1)

    async def load(keys):
        running.append(keys)
        most.append(len(running))
        await asyncio.sleep(0)
        running.remove(keys)
        return keys

    loader = Loader(load, per=tenant, group=group)
    assert load_all(loader, ("alice", 1), ("bob", 2), ("eve", 3)) == [1, 2, 3]
    assert most == [1, 1, 1]


def test_max_in_flight_holds_for_all_values():
    running, most = set(), []

    async def load(keys):
        running.add(tenant.get())
        most.append(len(running))
        await asyncio.sleep(0)
        running.remove(tenant.get())
        return keys

    load_all(Loader(load, per=tenant, max_in_flight=1), *((name, 1) for name in "abc"))
    assert most == [1, 1, 1]


def test_a_group_clears_the_caches_of_the_callers_value(calls):
    group = Group()
    loader = new_loader(calls, "plain", cache=True, group=group)
    for name in ("alice", "bob"):
        as_tenant(name, loader, 1)
    as_tenant("alice", group.clear_all)
    for name in ("alice", "bob"):
        as_tenant(name, loader, 1)
    assert [name for name, _ in calls] == ["alice", "bob", "alice"]


def test_the_statistics_count_all_values(calls):
    loader = new_loader(calls, "plain", cache=True)
    for name in ("alice", "bob", "bob"):
        as_tenant(name, loader, 1)
    stats = loader.stats
    assert (stats.batches, stats.keys, stats.hits) == (2, 2, 1)


def test_values_that_were_not_used_for_long_are_forgotten(monkeypatch, calls):
    monkeypatch.setattr("asynq.loaders.variants._KEPT", 2)
    loader = new_loader(calls, "plain", cache=True)
    for name in "abaBcdea":
        as_tenant(name, loader, 1)
    gc.collect()
    assert [name for name, _ in calls] == list("abBcdea")
    assert len(loader._variants) <= 4


def test_a_variable_without_a_value_is_an_error_of_the_load(calls):
    loader = new_loader(calls, "plain")
    message = "the context variable 'tenant' of per has no value here"
    with pytest.raises(LookupError, match=message):
        loader(1)
    with pytest.raises(LookupError, match=message):
        asyncio.run(loader.asyncio(1))


def test_a_value_that_cannot_be_hashed_is_an_error_of_the_load(calls):
    loader = new_loader(calls, "plain")
    with pytest.raises(TypeError, match=r"per needs hashable values, and .* has \['alice'\]"):
        as_tenant(["alice"], loader, 1)


def test_an_error_of_a_function_of_per_is_an_error_of_the_load():
    def fails():
        raise KeyError("nobody is logged in")

    with pytest.raises(KeyError, match="nobody is logged in"):
        Loader(list, per=fails)(1)


@pytest.mark.parametrize("per", ["tenant", 1, int, load_as, asynq.asynq()(list), [tenant, 1]])
def test_per_must_name_something_that_has_a_value(per):
    with pytest.raises(TypeError, match="per must name ContextVar or AsyncScopedValue objects"):
        asynq.loader(per=per)


def test_values_need_caches_of_their_own():
    with pytest.raises(TypeError, match="per needs a cache for each value"):
        Loader(list, per=tenant, cache=Lru(10))


def test_sources_may_come_from_an_iterator(calls):
    loader = asynq.loader(per=iter([tenant]))(lambda keys: [tenant.get() for _ in keys])
    assert as_tenant("alice", loader, 1) == "alice"


def test_a_function_that_reads_a_variable_which_has_no_value_there_is_told_of_per():
    loader = Loader(lambda keys: [tenant.get() for _ in keys])
    with pytest.raises(LoadError, match="if its values depend on the variable, name it in per="):
        as_tenant("alice", loader, 1)


@asynq.loader(per=tenant)
def of_this_module(keys):
    return keys


def test_a_loader_with_per_can_be_pickled_and_copied():
    assert pickle.loads(pickle.dumps(of_this_module)) is of_this_module
    assert copy.deepcopy(of_this_module) is of_this_module


def test_threads_of_one_value_share_a_cache_that_both_make_at_once():
    barrier = threading.Barrier(2)

    loader = Loader(list, per=tenant, cache=True)

    def load():
        barrier.wait(10)
        return as_tenant("alice", loader, 1)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = loader.stats.keys
    as_tenant("alice", loader, 1)
    assert loader.stats.keys == loaded
