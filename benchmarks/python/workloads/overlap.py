"""Concurrent requests to slow sources."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable

from .workload import Workload

SOURCES = range(5)
SECONDS = 0.02


class Overlap(Workload):
    """A round with one request to each of 5 sources, which sleep for 20 ms, in wall-clock time.
    Ours has loaders with blocking=True, the reference one batch per source, and the DataLoaders
    sleep in coroutines. The goal is a round in 1.25 × 20 ms instead of 5 × 20 ms.
    """

    title = "overlap"
    unit = "round"
    units = 1
    goal = len(SOURCES) / 1.25
    batches = len(SOURCES)
    clock = staticmethod(time.perf_counter)

    def expected(self) -> Any:
        return list(SOURCES)

    def with_asynq(self) -> Callable[[], Any]:
        from programs import overlap

        return overlap.round_over([self.slow(number) for number in SOURCES])

    def slow(self, number: int) -> Callable[[Any], Any]:
        def answer(keys: Any) -> Any:
            self.flushes += 1
            time.sleep(SECONDS)
            return [number for _ in keys]

        return answer

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        def slow(number):
            async def answer(keys):
                self.flushes += 1
                await asyncio.sleep(SECONDS)
                return [number for _ in keys]

            return answer

        async def one_round():
            loaders = [loader(slow(number)) for number in SOURCES]
            return await asyncio.gather(*[loader.load(1) for loader in loaders])

        return one_round
