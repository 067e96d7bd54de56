"""Many tasks that ask many sources at different times."""

from __future__ import annotations

from workloads.staggered import ANSWERS, SOURCES

from asynq import asynq

from .store import Store, StoreItem

stores = [Store(ANSWERS) for _ in range(SOURCES)]


@asynq()
def walk(way):
    total = 0
    for source, key in way:
        total += yield StoreItem(stores[source], key)
    return total


@asynq()
def walk_all(ways):
    return (yield [walk.asynq(way) for way in ways])
