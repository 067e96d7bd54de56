"""Loaders: hooks, statistics, and settings that are refused."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from negating import each, recording

import asynq
from asynq import LoadError
from asynq.loaders import Group, Loader, Lru, Stats

# Hooks and statistics


def test_hooks_are_called_around_each_batch():
    log = []
    loader, _ = recording(
        lambda keys: log.append("flush") or keys,
        max_batch_size=2,
        before_flush=lambda keys: log.append(("before", list(keys))),
        after_flush=lambda flushed: log.append(("after", flushed.keys, flushed.error)),
    )
    each(loader, [1, 2, 3])
    assert log == [
        ("before", [1, 2]),
        "flush",
        ("after", [1, 2], None),
        ("before", [3]),
        "flush",
        ("after", [3], None),
    ]


def test_an_after_flush_is_told_why_a_batch_failed():
    errors = []
    loader, _ = recording(lambda keys: 1 / 0, after_flush=lambda done: errors.append(done.error))
    with pytest.raises(LoadError):
        loader(1)
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_a_before_flush_that_fails_fails_the_batch():
    def before(keys):
        raise ValueError("not now")

    loader, batches = recording(before_flush=before)
    with pytest.raises(LoadError, match="not now"):
        loader(1)
    assert batches == []


def test_an_after_flush_that_fails_is_logged(caplog):
    loader, _ = recording(after_flush=lambda done: 1 / 0, name="user")
    assert loader(1) == -1
    assert "after_flush of the loader user has failed" in caplog.text


def test_statistics_count_batches_keys_and_hits():
    loader, _ = recording(max_batch_size=2)
    each(loader, [1, 2, 3, 1])
    assert loader.stats._replace(time=0.0) == Stats(batches=2, keys=3, hits=1, largest=2, time=0.0)


def emptying(keys):
    return {keys.pop(): 1}


def failing_after_emptying(keys):
    keys.clear()
    raise KeyError


async def emptying_in_a_coroutine(keys):
    return {keys.pop(): 1}


@asynq.asynq()
def emptying_in_a_task(keys):
    yield None
    return {keys.pop(): 1}


@pytest.mark.parametrize("on_event_loop", [False, True])
@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (emptying, {}),
        (emptying, {"blocking": True, "timeout": 30, "max_in_flight": 1}),
        (emptying, {"group": Group(max_in_flight=1)}),
        (failing_after_emptying, {}),
        (failing_after_emptying, {"blocking": True, "max_in_flight": 1}),
        (emptying_in_a_coroutine, {"timeout": 30, "max_in_flight": 1}),
        (emptying_in_a_task, {"timeout": 30}),
    ],
)
def test_a_function_may_change_its_list_of_keys(function, settings, on_event_loop):
    loader = Loader(function, **settings)

    def load():
        return asyncio.run(loader.asyncio(1)) if on_event_loop else loader(1)

    if function is failing_after_emptying:
        with pytest.raises(LoadError):
            load()
    else:
        assert load() == 1
    assert loader.stats.keys == 1


def test_a_loader_is_named_after_its_function():
    @asynq.loader
    def user(ids):
        return ids

    assert user.__name__ == "user"
    assert "user" in repr(user)
    assert repr(Loader(len, name="by length")) == "<loader by length>"


# Settings that make no sense


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_batch_size": 0}, ValueError, "max_batch_size must be 1 or more"),
        ({"max_batch_size": "5"}, TypeError, "max_batch_size must be an int"),
        ({"timeout": -1, "blocking": True}, ValueError, "timeout must be a positive number"),
        ({"max_delay": 0}, ValueError, "max_delay must be a positive number"),
        ({"max_delay": "1"}, TypeError, "max_delay must be a number"),
        ({"hold": -1}, ValueError, "hold must be a positive number"),
        ({"timeout": 1}, ValueError, "timeout needs an asynchronous function"),
        ({"max_in_flight": 1}, ValueError, "max_in_flight needs an async def function"),
        ({"cache": 7}, TypeError, "cache must be True, False or a mutable mapping"),
        ({"cache": []}, TypeError, "cache must be True, False or a mutable mapping"),
        ({"cache": Lru}, TypeError, "cache must be True, False or a mutable mapping"),
        ({"executor": 7, "blocking": True}, TypeError, "executor must be an executor"),
        ({"executor": ThreadPoolExecutor, "blocking": True}, TypeError, "must be an executor"),
        ({"cache": MappingProxyType({})}, TypeError, "a mutable mapping"),
        ({"default": 1, "default_factory": int}, ValueError, "exclude each other"),
        ({"after_flush": 7}, TypeError, "after_flush must be a function"),
        ({"priority": "high"}, TypeError, "priority must be a number"),
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        recording(**settings)


def test_only_a_function_that_blocks_is_declared_blocking():
    async def function(keys):
        return keys

    with pytest.raises(ValueError, match="blocking=True is for functions that block"):
        Loader(function, blocking=True)


def test_a_loader_is_made_of_a_function():
    with pytest.raises(TypeError, match=r"must be a function, got \{1: 2\}"):
        Loader({1: 2})


def interrupt(*_):
    raise KeyboardInterrupt


def test_an_interrupt_after_a_flush_ends_a_plain_call_too():
    loader = asynq.Loader(list, after_flush=interrupt)
    with pytest.raises(KeyboardInterrupt):
        loader(1)


def test_an_interrupt_in_a_cache_ends_the_call():
    class Cache(dict):
        __setitem__ = interrupt

    loader = asynq.Loader(list, cache=Cache())
    with pytest.raises(KeyboardInterrupt):
        loader(1)


@pytest.mark.parametrize("fails", [False, True])
def test_the_batch_of_a_plain_function_is_flushed_when_the_function_has_ended(fails):
    @asynq.loader
    def plain(keys):
        if fails:
            raise KeyError
        return keys

    load = plain.asynq(1)
    batch = load.batch
    load.error()
    assert batch.is_flushed()
    assert not plain._in_flight()


class AsyncCall:
    """An object whose call is a coroutine function."""

    async def __call__(self, keys):
        return [key * 10 for key in keys]


@pytest.mark.parametrize("settings", [{}, {"timeout": 60}, {"max_in_flight": 1}])
def test_an_object_with_an_async_call_is_an_async_function(settings):
    async def main():
        return await Loader(AsyncCall(), **settings).asyncio(1)

    assert asyncio.run(main()) == 10
    assert Loader(AsyncCall(), **settings)(1) == 10


def test_an_object_with_an_async_call_does_not_block():
    with pytest.raises(ValueError, match="blocking=True is for functions that block"):
        Loader(AsyncCall(), blocking=True)
