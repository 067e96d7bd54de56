"""`asynq.request()`: what is loaded inside is isolated from everything else."""

import asyncio
import contextvars
import gc
import weakref

import pytest
from threads import in_thread

import asynq
from asynq import _asynq
from asynq.loaders import Group, Loader, Lru
from asynq.tools import deduplicate


@pytest.fixture
def calls():
    return []


@pytest.fixture
def user(calls):
    @asynq.loader
    async def user(ids):
        calls.append(list(ids))
        await asyncio.sleep(0)
        return {id: f"user {id}" for id in ids}

    return user


async def handle(loader, *keys):
    async with asynq.request():
        return await asyncio.gather(*map(loader.asyncio, keys))


def test_requests_of_one_event_loop_share_no_batch(user, calls):
    async def main():
        return await asyncio.gather(handle(user, 1, 2), handle(user, 1))

    assert asyncio.run(main()) == [["user 1", "user 2"], ["user 1"]]
    assert sorted(calls) == [[1], [1, 2]]


def test_a_write_is_seen_by_later_loads_of_its_request_while_another_loads():
    rows = {1: "old"}

    async def main():
        written = asyncio.Event()

        @asynq.loader
        async def row(keys):
            snapshot = {key: rows[key] for key in keys}
            reads.set()
            await written.wait()
            return snapshot

        async def reader():
            async with asynq.request():
                return await row.asyncio(1)

        async def writer():
            async with asynq.request():
                await reads.wait()
                rows[1] = "new"
                written.set()
                return await row.asyncio(1)

        reads = asyncio.Event()
        return await asyncio.gather(reader(), writer())

    assert asyncio.run(main()) == ["old", "new"]


def test_a_request_caches_until_it_ends(user, calls):
    for _ in range(2):
        with asynq.request():
            assert [user(1), user(1)] == ["user 1", "user 1"]
    assert calls == [[1], [1]]


def test_what_was_cached_outside_is_not_seen_inside_nor_the_reverse(calls):
    loader = Loader(lambda keys: (calls.append(keys), keys)[1], cache=Lru(10))
    loader(1)
    with asynq.request():
        loader(1), loader(2)
    loader(2)
    assert calls == [[1], [1], [2], [2]]


def test_a_loader_that_must_not_cache_does_not_in_a_request(calls):
    loader = Loader(lambda keys: (calls.append(keys), keys)[1], cache=False)
    with asynq.request():
        loader(1), loader(1)
    assert calls == [[1], [1]]


def test_a_loader_across_requests_shares_its_cache_with_all(calls):
    loader = Loader(lambda keys: (calls.append(keys), keys)[1], cache=True, across_requests=True)
    loader(1)
    with asynq.request():
        loader(1)
    assert calls == [[1]]


def test_clear_forgets_what_all_loaders_have_loaded(user, calls):
    other = Loader(lambda keys: (calls.append(keys), keys)[1])
    with asynq.request() as request:
        user(1), other(2)
        request.clear()
        user(1), other(2)
    assert calls == [[1], [2], [1], [2]]


def test_clear_in_one_request_leaves_those_of_others(user, calls):
    with asynq.request() as outer:
        user(1)
        with asynq.request() as inner:
            user(1)
            inner.clear()
        user(1)
        outer.clear()
    assert calls == [[1], [1]]


def test_clear_of_a_loader_is_about_the_current_request(user, calls):
    with asynq.request():
        user(1)
        with asynq.request():
            user.clear(1)
            user.clear_all()
        user(1)
    assert calls == [[1]]


def test_later_loads_do_not_share_a_value_that_was_in_flight_at_clear():
    rows = {1: "old"}

    async def main():
        gate = asyncio.Event()

        @asynq.loader
        async def row(keys):
            snapshot = {key: rows[key] for key in keys}
            reads.set()
            await gate.wait()
            return snapshot

        reads = asyncio.Event()
        async with asynq.request() as request:
            before = asyncio.ensure_future(row.asyncio(1))
            await reads.wait()
            rows[1] = "new"
            request.clear()
            after = asyncio.ensure_future(row.asyncio(1))
            gate.set()
            return await before, await after, await row.asyncio(1)

    assert asyncio.run(main()) == ("old", "new", "new")


def test_tasks_of_asyncio_that_are_created_inside_belong_to_the_request(user, calls):
    async def main():
        with asynq.request():
            await asyncio.create_task(user.asyncio(1))
            return await asyncio.create_task(user.asyncio(1))

    assert asyncio.run(main()) == "user 1"
    assert calls == [[1]]


def test_async_functions_that_are_called_inside_belong_to_the_request(calls):
    loader = Loader(lambda keys: (calls.append(keys), keys)[1])

    @asynq.asynq()
    def page(key):
        return (yield loader.asynq(key))

    @asynq.asynq()
    def request(keys):
        with asynq.request():
            yield [page.asynq(key) for key in keys]
            return (yield [page.asynq(key) for key in keys])

    @asynq.asynq()
    def both():
        return (yield request.asynq([1, 2]), request.asynq([1]))

    assert both() == ([1, 2], [1])
    assert sorted(calls) == [[1], [1, 2]]


@pytest.mark.parametrize("kind", ["plain", "blocking", "async def"])
def test_what_a_batch_function_loads_belongs_to_the_request(kind, calls):
    inner = Loader(lambda keys: (calls.append(keys), keys)[1])

    def load(keys):
        return [inner(1) for _ in keys]

    async def load_async(keys):
        return [await inner.asyncio(1) for _ in keys]

    is_async = kind == "async def"
    outer = Loader(load_async if is_async else load, blocking=kind == "blocking", cache=False)
    inner(1)
    with asynq.request():
        assert outer(1) == outer(2) == 1
    assert calls == [[1], [1]]


def test_values_of_per_have_caches_of_their_own_in_a_request(calls):
    tenant = contextvars.ContextVar("tenant")

    @asynq.loader(per=tenant)
    def row(keys):
        calls.append(tenant.get())
        return keys

    with asynq.request():
        for name in ("alice", "bob", "alice"):
            token = tenant.set(name)
            row(1)
            tenant.reset(token)
    assert calls == ["alice", "bob"]


class Shop:
    group = Group()

    @asynq.loader(group=group)
    def product(self, keys):
        self.calls += keys
        return keys

    def __init__(self):
        self.calls = []


def test_loaders_of_instances_are_isolated():
    shop = Shop()
    for _ in range(2):
        with asynq.request():
            shop.product(1), shop.product(1)
    assert shop.calls == [1, 1]


def test_a_scope_of_a_group_inside_of_a_request_has_a_cache_of_its_own():
    shop = Shop()
    with asynq.request():
        shop.product(1)
        with shop.group.scope():
            shop.product(1), shop.product(1)
        shop.product(1)
    assert shop.calls == [1, 1]


def test_a_request_does_not_keep_an_instance_alive():
    shop = Shop()
    reference = weakref.ref(shop)
    with asynq.request():
        shop.product(1)
        del shop
        gc.collect()
        assert reference() is None


def test_equal_calls_of_two_requests_share_no_task(user, calls):
    loader = Loader(lambda keys: (calls.append(keys), keys)[1])

    @deduplicate()
    @asynq.asynq()
    def shared():
        return (yield loader.asynq(1))

    @asynq.asynq()
    def request():
        with asynq.request():
            return (yield shared.asynq(), shared.asynq())

    @asynq.asynq()
    def both():
        return (yield request.asynq(), request.asynq())

    assert both() == ((1, 1), (1, 1))
    assert calls == [[1], [1]]


def test_the_current_request_is_the_innermost():
    assert asynq.request.current() is None
    with asynq.request() as outer:
        with asynq.request() as inner:
            assert asynq.request.current() is inner
        assert asynq.request.current() is outer
    assert asynq.request.current() is None


def test_a_request_is_not_that_of_another_thread():
    with asynq.request():
        assert in_thread(asynq.request.current) is None


def test_a_request_that_has_ended_is_freed_with_its_caches(user):
    with asynq.request() as request:
        user(1)
    variants = [weakref.ref(variant) for variant in request._variants.values()]
    gc.disable()
    try:
        del request
        assert [variant() for variant in variants] == [None]
    finally:
        gc.enable()


def test_the_statistics_count_the_loads_of_requests(user):
    with asynq.request():
        user(1), user(1)
    stats = user.stats
    assert (stats.batches, stats.keys, stats.hits) == (1, 1, 1)


def test_a_batch_that_outlives_its_request_loads_in_a_request_of_its_own(calls):
    async def main():
        gate = asyncio.Event()
        inner = Loader(lambda keys: (calls.append(keys), keys)[1], cache=True)

        @asynq.loader(blocking=False)
        async def outer(keys):
            await gate.wait()
            calls.append(asynq.request.current() is not None)
            return [await inner.asyncio(key) for key in keys]

        async with asynq.request():
            load = asyncio.ensure_future(outer.asyncio(1))
            await asyncio.sleep(0)
        gate.set()
        return await load

    assert asyncio.run(main()) == 1
    assert calls == [True, [1]]


def test_a_loader_that_is_gone_is_not_taken_for_a_new_one():
    def load_from_new_loader(value):
        return Loader(lambda keys: [value] * len(keys))(1)

    with asynq.request():
        assert [load_from_new_loader(value) for value in range(100)] == list(range(100))


def test_nothing_can_be_taken_for_the_owner_of_requests(user, calls):
    with pytest.raises(TypeError, match="takes no arguments"):
        _asynq.divide_loaders_by_request([])
    _asynq.divide_loaders_by_request()
    asyncio.run(handle(user, 1))
    assert calls == [[1]]
