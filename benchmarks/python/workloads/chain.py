"""Async functions that await one another."""

from __future__ import annotations

from typing import Any, Callable

from .workload import Workload

DEPTH = 300
TABLE = {"key": "value"}


class Chain(Workload):
    """A chain of 300 async functions: each one awaits the next, and the last one awaits a load.
    With asynq each call is a task; on an event loop the chain is one task, whose coroutines the
    interpreter links.
    """

    title = "chain 300 deep"
    unit = "level"
    units = DEPTH
    goal = 13
    batches = 1

    def expected(self) -> Any:
        return "value"

    def with_asynq(self) -> Callable[[], Any]:
        from programs import chain

        chain.store.workload = self
        return lambda: chain.link(DEPTH)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def load(keys):
            self.flushes += 1
            return [TABLE[key] for key in keys]

        async def link(loads, depth):
            if depth == 1:
                return await loads.load("key")
            return await link(loads, depth - 1)

        return lambda: link(loader(load), DEPTH)
