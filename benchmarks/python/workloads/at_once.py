"""Async functions that never wait."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

from .workload import Workload

KEYS = range(10_000)
CACHE = {key: 3 * key for key in KEYS}


class AtOnce(Workload):
    """10,000 calls of an async function that returns immediately, awaited together: a generator
    that finds its value in a dictionary and returns it before its first `yield`. The DataLoaders
    run coroutines under `asyncio.gather` instead, without a loader.
    """

    title = "return at once"
    unit = "function"
    units = len(KEYS)
    goal = 14
    batches = 0

    def expected(self) -> Any:
        return list(CACHE.values())

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached

        cached.store.workload = self
        return lambda: cached.all_cached(KEYS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        async def load(keys):
            self.flushes += 1
            return [CACHE[key] for key in keys]

        async def all_cached(keys):
            loads = loader(load)

            async def cached(key):
                if key in CACHE:
                    return CACHE[key]
                return await loads.load(key)

            return await asyncio.gather(*[cached(key) for key in keys])

        return lambda: all_cached(KEYS)


class AtOnceWithoutYield(AtOnce):
    """ "Return at once" with plain functions under `@asynq()`, which have no `yield`. The row above
    also measures an `async def` without `await`, so this row has no DataLoader.
    """

    title = "return at once, no yield"
    goal = 30

    def with_asynq(self) -> Callable[[], Any]:
        from programs.cached import all_cached_without_yield

        return lambda: all_cached_without_yield(KEYS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        return None


class AtOnceImported(AtOnce):
    """ "Return at once" with a function that the module of its caller has imported. CPython looks
    `cached.asynq` up there before it calls it. The first row has the DataLoaders.
    """

    title = "return at once, imported"
    goal = None

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached, imported

        cached.store.workload = self
        return lambda: imported.all_cached(KEYS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        return None


class AtOnceMethod(AtOnceImported):
    """ "Return at once" with a method."""

    title = "return at once, method"

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached

        cached.store.workload = self
        look_up_all = cached.Cached().look_up_all
        return lambda: look_up_all(KEYS)
