"""The memory of a task while it waits."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any, Callable

from .workload import Workload

TASKS = 100_000
WARM = 1_000
STATM = Path("/proc/self/statm")


class Memory(Workload):
    """100,000 tasks, each blocked on a load of one batch: the growth of the resident memory of a
    new process (`/proc/self/statm`) from the creation of the first task to the flush.
    """

    title = "memory of a blocked task"
    unit = "task with its item"
    units = TASKS
    goal = 0.4
    batches = 1
    is_memory = True

    #: Resident memory before the run and during its flush, in bytes.
    before = 0
    blocked = 0

    def expected(self) -> Any:
        return list(range(TASKS))

    def with_asynq(self) -> Callable[[], Any]:
        from programs import memory

        memory.store.workload = self

        def run():
            memory.load_all(range(WARM))
            self.flushes = 0
            keys = list(range(TASKS))
            memory.store.batch = memory.MeasuredBatch(memory.store)
            gc.collect()
            self.before = resident()
            return memory.load_all(keys)

        return run

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def batch(keys):
            self.blocked = resident()
            self.flushes += 1
            return keys

        async def load_all(keys):
            loads = loader(batch)

            async def load(key):
                return await loads.load(key)

            return await asyncio.gather(*[load(key) for key in keys])

        async def run():
            await load_all(range(WARM))
            self.flushes = 0
            keys = list(range(TASKS))
            gc.collect()
            self.before = resident()
            return await load_all(keys)

        return run


def resident() -> int:
    """Returns the resident memory of this process, in bytes. Linux only."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
