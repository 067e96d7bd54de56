"""Many tasks, each blocked on an item."""

from __future__ import annotations

from workloads.memory import TASKS, resident

from asynq import asynq

from .store import Store, StoreBatch, StoreItem


class MeasuredBatch(StoreBatch):
    def _flush(self):
        self.store.workload.blocked = resident()
        super()._flush()


store = Store(range(TASKS))


@asynq()
def load(key):
    return (yield StoreItem(store, key))


@asynq()
def load_all(keys):
    return (yield [load.asynq(key) for key in keys])
