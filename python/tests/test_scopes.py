"""Scopes of a loader: their values, nested, left in any order, and shared by threads."""

import asyncio
import contextvars
import threading

import pytest
from numbering import recording
from threads import in_thread

import asynq
from asynq import Loader


@pytest.fixture
def batches():
    return []


@pytest.fixture
def loader(batches):
    def function(keys):
        batches.append(list(keys))
        return keys

    return Loader(function)


@pytest.fixture
def keeps(loader, batches):
    """Says whether a key that is loaded twice is sent once."""

    def keeps(key="key"):
        batches.clear()
        loader(key), loader(key)
        return len(batches) < 2

    return keeps


@pytest.fixture
def has(loader, batches):
    """Says whether a key is kept already."""

    def has(key):
        batches.clear()
        loader(key)
        return batches == []

    return has


def test_a_scope_may_be_entered_inside_itself():
    loader, batches = recording()
    scope = loader.scope()
    with scope:
        with scope:
            loader(1)
        loader(1)
    loader(1)
    assert batches == [[1], [1]]


def test_a_scope_keeps_values_for_its_block():
    loader, batches = recording()
    with loader.scope():
        assert [loader(1), loader(1)] == [(1, 1), (1, 1)]
    assert loader(1) == (1, 2)
    assert batches == [[1], [1]]


def test_scopes_follow_their_tasks():
    loader, batches = recording()

    @asynq.asynq()
    def request():
        with loader.scope():
            first = yield loader.asynq(1)
            second = yield loader.asynq(1)
            return first, second

    @asynq.asynq()
    def outside():
        first = yield loader.asynq(1)
        second = yield loader.asynq(1)
        return first, second

    @asynq.asynq()
    def both():
        return (yield request.asynq(), outside.asynq())

    assert both() == (((1, 1), (1, 1)), ((1, 1), (1, 2)))
    assert batches == [[1], [1]]


def test_the_inner_scope_counts():
    loader, batches = recording()
    with loader.scope():
        loader(1)
        with loader.scope():
            loader(1)
        loader(1)
    assert batches == [[1], [1]]


def test_a_scope_is_not_seen_by_another_thread():
    loader, batches = recording()
    with loader.scope():
        loader(1)
        thread = threading.Thread(target=loader, args=(1,))
        thread.start()
        thread.join()
        loader(1)
    assert batches == [[1], [1]]


def test_a_scope_follows_coroutines():
    loader, batches = recording()

    async def request():
        with loader.scope():
            await loader.asyncio(1)
            await asyncio.sleep(0)
            return await loader.asyncio(1)

    async def both():
        return await asyncio.gather(request(), request())

    assert asyncio.run(both()) == [(1, 1), (1, 1)]
    assert batches == [[1]]


def test_equal_keys_of_two_scopes_are_asked_for_once_and_kept_in_both():
    loader, batches = recording()

    @asynq.asynq()
    def request():
        with loader.scope():
            yield loader.asynq(1)
            return (yield loader.asynq(1))

    @asynq.asynq()
    def both():
        return (yield request.asynq(), request.asynq())

    assert both() == ((1, 1), (1, 1))
    assert batches == [[1]]


def test_a_scope_that_is_entered_inside_itself_is_one(loader, has):
    scope = loader.scope()
    with scope:
        loader(1)
        with scope:
            loader(2)
            assert has(1)
        assert has(1)
        assert has(2)


def test_a_scope_that_was_entered_inside_itself_is_over_when_it_is_left_as_often(loader, keeps):
    scope = loader.scope()
    with scope, scope, scope:
        assert keeps()
    assert not keeps()


def test_a_scope_around_another_inside_itself_is_the_one_that_counts(loader, has):
    outer, inner = loader.scope(), loader.scope()
    with outer:
        loader("outer")
        with inner:
            loader("inner")
            with outer:
                assert has("outer")
            assert has("inner")
        assert has("outer")


def test_a_scope_may_be_entered_again(loader, has, keeps):
    scope = loader.scope()
    with scope:
        loader(1)
    assert not keeps(1)
    with scope:
        assert has(1)


def test_scopes_left_in_the_order_in_which_they_were_entered_are_over(loader, has, keeps):
    first, second = loader.scope(), loader.scope()
    first.__enter__()
    loader("first")
    second.__enter__()
    loader("second")
    first.__exit__(None, None, None)
    assert has("second")
    assert not has("first")
    second.__exit__(None, None, None)
    assert not keeps()


def test_scopes_left_in_any_order_leave_the_cache_of_the_loader(batches):
    loader = Loader(lambda keys: batches.append(list(keys)) or keys, cache=True)
    loader("cached")
    scopes = [loader.scope() for _ in range(3)]
    for scope in scopes:
        scope.__enter__()
    for number in (1, 0, 2):
        scopes[number].__exit__(None, None, None)
    batches.clear()
    loader("cached")
    assert batches == []


def test_one_scope_may_be_entered_by_two_threads_at_once(loader, keeps):
    scope = loader.scope()
    inside, may_leave = threading.Event(), threading.Event()

    def other():
        with scope:
            inside.set()
            assert may_leave.wait(30)
            kept_inside = keeps_here()
        return kept_inside, keeps_here()

    def keeps_here():
        before = loader.stats.hits
        loader(threading.get_ident()), loader(threading.get_ident())
        return loader.stats.hits > before

    results = []
    thread = threading.Thread(target=lambda: results.append(other()))
    with scope:
        thread.start()
        assert inside.wait(30)
        assert keeps()
    assert not keeps()
    may_leave.set()
    thread.join(30)
    assert results == [(True, False)]


def test_a_thread_that_enters_a_scope_leaves_that_of_another_alone(loader, has):
    outer = loader.scope()

    def in_a_scope_of_its_own():
        with loader.scope():
            loader("other thread")

    with outer:
        loader(1)
        in_thread(in_a_scope_of_its_own)
        assert has(1)
        assert not has("other thread")


def test_tasks_in_scopes_of_their_own_do_not_share(loader, batches, source):
    @asynq.asynq()
    def request():
        with loader.scope():
            yield loader.asynq(1)
            yield source.item(1)
            return (yield loader.asynq(1))

    @asynq.asynq()
    def both():
        return (yield request.asynq(), request.asynq())

    assert both() == (1, 1)
    # They ask together, and each keeps the value.
    assert batches == [[1]]
    assert loader(1) == 1
    assert len(batches) == 2


def test_tasks_may_share_a_scope(loader, batches, source):
    scope = loader.scope()

    @asynq.asynq()
    def request(keys):
        with scope:
            for key in keys:
                yield loader.asynq(key)
                yield source.item(1)

    @asynq.asynq()
    def both():
        yield request.asynq([1, 2]), request.asynq([2, 1])

    both()
    assert batches == [[1, 2]]


def test_a_task_that_waits_leaves_no_scope_to_the_others(loader, source, keeps):
    seen = []

    @asynq.asynq()
    def in_a_scope():
        with loader.scope():
            yield source.item(1)

    @asynq.asynq()
    def outside():
        seen.append(keeps())
        yield source.item(2)
        seen.append(keeps())

    @asynq.asynq()
    def both():
        yield in_a_scope.asynq(), outside.asynq()

    both()
    assert seen == [False, False]
    assert not keeps()


def test_a_scope_that_is_left_in_another_context_is_over_there(loader, keeps):
    scope = loader.scope()
    context = contextvars.copy_context()
    context.run(scope.__enter__)
    assert not keeps()
    context.run(scope.__exit__, None, None, None)
    assert not context.run(keeps)


def test_a_scope_that_is_left_where_it_was_not_entered_changes_nothing(loader, has, keeps):
    entered_elsewhere = loader.scope()
    contextvars.Context().run(entered_elsewhere.__enter__)
    with loader.scope():
        loader(1)
        entered_elsewhere.__exit__(None, None, None)
        assert has(1)
    assert not keeps()


def test_coroutines_in_one_scope_share_and_keep_it_until_each_has_left(loader, batches):
    scope = loader.scope()

    async def request(key, turns):
        with scope:
            await loader.asyncio(key)
            for _ in range(turns):
                await asyncio.sleep(0)
            return await loader.asyncio(1)

    async def main():
        values = await asyncio.gather(request(1, 1), request(2, 20))
        return values, await loader.asyncio(1)

    assert asyncio.run(main()) == ([1, 1], 1)
    assert batches == [[1, 2], [1]]
