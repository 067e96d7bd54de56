"""User-defined batch classes, as programs on asynq write them.

Only workers on asynq import this module.
"""

from __future__ import annotations

from typing import Any

from workloads.workload import Workload

from asynq import BatchBase, BatchItemBase


class Store:
    """A table in memory that answers many keys at once."""

    #: The workload that counts the flushes.
    workload: Workload

    def __init__(self, table: Any) -> None:
        self.table = table
        self.batch = StoreBatch(self)


class StoreBatch(BatchBase):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def _try_switch_active_batch(self) -> None:
        if self.store.batch is self:
            self.store.batch = StoreBatch(self.store)

    def _flush(self) -> None:
        self.store.workload.flushes += 1
        table = self.store.table
        for item in self.items:
            item.set_value(table[item.key])


class StoreItem(BatchItemBase):
    def __init__(self, store: Store, key: Any) -> None:
        super().__init__(store.batch)
        self.key = key
