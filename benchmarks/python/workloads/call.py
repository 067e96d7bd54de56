"""Async functions called as if they were none."""

from __future__ import annotations

from typing import Any, Callable

from .workload import Workload

KEYS = range(10_000)
CACHE = {key: 3 * key for key in KEYS}


class Call(Workload):
    """A synchronous call, `cached(key)`, of an async function that returns at once: a generator
    that finds its value in a dictionary. Nothing else runs. A DataLoader has no synchronous call.
    """

    title = "synchronous call"
    unit = "call"
    units = len(KEYS)
    goal = 30
    batches = 0

    def expected(self) -> Any:
        return list(CACHE.values())

    def with_asynq(self) -> Callable[[], Any]:
        from asynq import asynq

        from .store import Store, StoreItem

        store = Store(self, CACHE)

        @asynq()
        def cached(key):
            if key in CACHE:
                return CACHE[key]
            return (yield StoreItem(store, key))

        return lambda: [cached(key) for key in KEYS]


class CallWithoutYield(Call):
    """The same with a plain function under `@asynq()`, which has no `yield`."""

    title = "synchronous call, no yield"

    def with_asynq(self) -> Callable[[], Any]:
        from asynq import asynq

        @asynq()
        def cached(key):
            return CACHE[key]

        return lambda: [cached(key) for key in KEYS]
