"""Many tasks that ask many sources, each in a different order."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Callable

from .workload import Workload

TASKS, ROUNDS, SOURCES = 4_000, 20, 50
ANSWERS = tuple(7 * key % 1_009 for key in range(TASKS * ROUNDS))

_random = random.Random(SOURCES)
#: The (source, key) pairs that each task loads, in order. All keys are different.
WAYS = tuple(
    tuple((_random.randrange(SOURCES), task * ROUNDS + turn) for turn in range(ROUNDS))
    for task in range(TASKS)
)


class Staggered(Workload):
    """4,000 tasks make 20 loads each, one after the other, from random ones of 50 sources (the same
    for all implementations). asynq flushes the largest batch and continues only its tasks, so the
    tasks spread over the rounds. If several batches are the largest, the reference takes any of
    them, so its number of batches varies. An event loop flushes all 50 loaders in each round.
    """

    title = "staggered"
    unit = "load"
    units = TASKS * ROUNDS
    goal = 6
    batches = None

    def expected(self) -> Any:
        return [sum(ANSWERS[key] for _, key in way) for way in WAYS]

    def with_asynq(self) -> Callable[[], Any]:
        from programs import staggered

        for store in staggered.stores:
            store.workload = self
        return lambda: staggered.walk_all(WAYS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def load(keys):
            self.flushes += 1
            return [ANSWERS[key] for key in keys]

        async def walk(loaders, way):
            total = 0
            for source, key in way:
                total += await loaders[source].load(key)
            return total

        async def walk_all(ways):
            loaders = [loader(load) for _ in range(SOURCES)]
            return await asyncio.gather(*[walk(loaders, way) for way in ways])

        return lambda: walk_all(WAYS)
