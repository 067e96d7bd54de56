"""Loads behind different numbers of awaits."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

from .workload import Workload

DEPTHS = range(8)
TABLE = {depth: 3 * depth for depth in DEPTHS}


class Uneven(Workload):
    """Eight tasks of uneven depth: they make one load each, from the same source, after 0, 1, … 7
    awaits without a load. With asynq, each of these awaits calls an async function that returns
    immediately; on an event loop it is `asyncio.sleep(0)`, the shortest way to yield to others.
    """

    title = "uneven depth"
    unit = "request"
    units = 1
    batches = 1

    def expected(self) -> Any:
        return list(TABLE.values())

    def with_asynq(self) -> Callable[[], Any]:
        from programs import uneven

        uneven.store.workload = self
        return uneven.request

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def load(keys):
            self.flushes += 1
            return [TABLE[key] for key in keys]

        async def load_behind(loads, depth):
            for _ in range(depth):
                await asyncio.sleep(0)
            return await loads.load(depth)

        async def request():
            loads = loader(load)
            return await asyncio.gather(*[load_behind(loads, depth) for depth in DEPTHS])

        return request
