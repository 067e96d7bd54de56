"""Loads behind different numbers of awaits."""

from __future__ import annotations

from workloads.uneven import DEPTHS, TABLE

from asynq import asynq

from .store import Store, StoreItem

store = Store(TABLE)


@asynq()
def pause():
    return None


@asynq()
def load_behind(depth):
    for _ in range(depth):
        yield pause.asynq()
    return (yield StoreItem(store, depth))


@asynq()
def request():
    return (yield [load_behind.asynq(depth) for depth in DEPTHS])
