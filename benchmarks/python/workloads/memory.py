"""What a task costs while it waits."""

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
    """100,000 tasks, each blocked on a load of its own in one batch, as the batch is flushed: how
    much more memory of the process is resident (`/proc/self/statm`) than before the first of them
    was made, in a fresh process.
    """

    title = "memory of a blocked task"
    unit = "task with its item"
    units = TASKS
    goal = 0.55
    batches = 1
    is_memory = True

    #: Resident bytes before the run, and in its flush.
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
    """Bytes of this process that are in memory now. Linux only."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
