"""Functions that await one another."""

from __future__ import annotations

from workloads.chain import TABLE

from asynq import asynq

from .store import Store, StoreItem

store = Store(TABLE)


@asynq()
def link(depth):
    if depth == 1:
        return (yield StoreItem(store, "key"))
    return (yield link.asynq(depth - 1))
