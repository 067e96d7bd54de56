"""Functions that find their value in a dictionary."""

from __future__ import annotations

from workloads.at_once import CACHE

from asynq import asynq

from .store import Store, StoreItem

store = Store(CACHE)


@asynq()
def cached(key):
    if key in CACHE:
        return CACHE[key]
    return (yield StoreItem(store, key))


@asynq()
def cached_without_yield(key):
    return CACHE[key]


class Cached:
    """The same as a method."""

    @asynq()
    def look_up(self, key):
        if key in CACHE:
            return CACHE[key]
        return (yield StoreItem(store, key))

    @asynq()
    def look_up_all(self, keys):
        return (yield [self.look_up.asynq(key) for key in keys])


@asynq()
def all_cached(keys):
    return (yield [cached.asynq(key) for key in keys])


@asynq()
def all_cached_without_yield(keys):
    return (yield [cached_without_yield.asynq(key) for key in keys])


@asynq()
def call_each(keys):
    return [cached(key) for key in keys]
    yield
