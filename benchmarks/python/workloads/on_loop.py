"""Loads on an event loop, as handlers of a server make them."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, ClassVar

from .workload import Workload


class LoadsOnLoop(Workload):
    """Loads of one loader under `asyncio.gather`, in one batch, whose function is a coroutine
    function.
    """

    unit = "load"
    goal = 1.5
    goal_peer = "aiodataloader"
    batches = 1
    on_loop = True

    def expected(self) -> Any:
        return [2 * key for key in range(self.units)]

    def with_asynq(self) -> Callable[[], Any] | None:
        return self.gather("loads")

    def gather(self, kind: str) -> Callable[[], Any] | None:
        import asynq

        if not hasattr(asynq, "loader"):
            return None
        from programs import on_loop

        on_loop.workload = self
        gather = getattr(on_loop, kind)
        return lambda: gather(range(self.units))

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def load_all():
            load = loader(self.load).load
            return await asyncio.gather(*[load(key) for key in range(self.units)])

        return load_all

    async def load(self, keys):
        self.flushes += 1
        return [2 * key for key in keys]


class FunctionsOnLoop(LoadsOnLoop):
    """The same with each load in a separate call of an async function."""

    def with_asynq(self) -> Callable[[], Any] | None:
        return self.gather("functions")

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def call_all():
            load = loader(self.load).load

            async def function(key):
                return await load(key)

            return await asyncio.gather(*[function(key) for key in range(self.units)])

        return call_all


class SixLoads(LoadsOnLoop):
    """6 loads of one loader under `asyncio.gather` on an event loop, in one batch, whose function
    is a coroutine function. Ours calls `loader.asyncio(key)`, the others `loader.load(key)`.
    """

    title = "6 loads on a loop"
    units = 6


class HundredLoads(LoadsOnLoop):
    """The same with 100 loads."""

    title = "100 loads on a loop"
    units = 100


class ManyLoads(LoadsOnLoop):
    """The same with 10,000 loads."""

    title = "10000 loads on a loop"
    units = 10_000


class SixFunctions(FunctionsOnLoop):
    """6 loads as above, each in a separate call of an async function: ours is a generator, called
    by `function.asyncio(key)`, those of the others are coroutine functions.
    """

    title = "6 functions on a loop"
    units = 6


class HundredFunctions(FunctionsOnLoop):
    """The same with 100 calls."""

    title = "100 functions on a loop"
    units = 100


class ManyFunctions(FunctionsOnLoop):
    """The same with 10,000 calls."""

    title = "10000 functions on a loop"
    units = 10_000


REQUESTS = 2_000
REQUESTS_A_SECOND = 5_000
SECONDS_OF_A_BATCH = 0.001


class Arrivals(LoadsOnLoop):
    """Requests that arrive steadily, 5,000 a second for 0.4 s. Each is an asyncio task that makes
    one load, and each batch takes 1 ms.
    """

    unit = "request"
    units = REQUESTS
    goal = 1
    batches = None
    latencies: ClassVar[list[float]] = []

    def expected(self) -> Any:
        return sum(2 * key for key in range(REQUESTS))

    def gather(self, kind: str) -> Callable[[], Any] | None:
        loads = super().gather("loads")
        if loads is None:
            return None
        from programs import on_loop

        return lambda: self.serve(on_loop.double.asyncio)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def serve():
            return await self.serve(loader(self.load, cache=False).load)  # It belongs to the loop.

        return serve

    async def load(self, keys):
        await asyncio.sleep(SECONDS_OF_A_BATCH)
        return await super().load(keys)

    async def serve(self, load: Callable[[int], Any]) -> int:
        loop = asyncio.get_running_loop()
        tasks = []
        all_made = loop.create_future()

        async def request(key: int, due: float) -> int:
            value = await load(key)
            # From the time at which it should have arrived: a loop that is late is not excused.
            self.latencies.append(loop.time() - due)
            return value

        def arrive(key: int, due: float) -> None:
            tasks.append(loop.create_task(request(key, due)))
            if len(tasks) == REQUESTS:
                all_made.set_result(None)

        self.latencies.clear()
        start = loop.time()
        for key in range(REQUESTS):
            due = start + key / REQUESTS_A_SECOND
            loop.call_at(due, arrive, key, due)
        await all_made
        return sum(await asyncio.gather(*tasks))


class MedianLatency(Arrivals):
    """Requests that arrive steadily, 5,000 a second for 0.4 s, on an event loop. Each is an asyncio
    task that makes one load, and each batch takes 1 ms. The median of the times from when a request
    should have arrived until it has its value.
    """

    title = "steady arrivals p50"
    quantile = 0.5


class LateLatency(Arrivals):
    """The same program: 99 of 100 requests take at most this time."""

    title = "steady arrivals p99"
    quantile = 0.99
