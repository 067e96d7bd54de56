"""A worker: measures one implementation, as requested on its standard input.

Runs in the virtual environment of that implementation. Requests and answers are lines of JSON:

    {"do": "describe"}             -> versions, and path of the package
    {"do": "prepare", "load": "…", "seconds": 0.1}
                                   -> checks a run, warms up, and counts the runs in that time
    {"do": "round"}                -> makes that number of runs, and returns the cost per unit
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import platform
import signal
import sys
import traceback
from typing import Any, Callable

from workloads import WORKLOADS, Workload

WARM_UP_SECONDS = 0.3


class Worker:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.is_asynq = kind in ("asynq", "recorded")
        self.loop = asyncio.new_event_loop()
        self.workload: Workload | None = None
        self.run: Callable[[], Any] = lambda: None
        self.on_loop = False
        self.runs = 1

    def describe(self, package: str, module: str) -> dict[str, Any]:
        return {
            "version": importlib.metadata.version(package),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "file": importlib.import_module(module).__file__,
        }

    def prepare(self, load: str, seconds: float) -> dict[str, Any]:
        """Creates the program, and checks one run. `applies` is false if there is no program."""
        workload = self.workload = WORKLOADS[load]()
        if self.kind == "recorded":
            record()
        program = (
            workload.with_asynq()
            if self.is_asynq
            else workload.with_loaders(data_loader(self.kind))
        )
        if program is None:
            return {"applies": False}
        self.run = program
        self.on_loop = not self.is_asynq or workload.on_loop
        if workload.is_memory:  # No run may precede the first round, which measures the memory.
            return {"applies": True}
        batches = self.check()
        begin = workload.clock()
        fastest = self.timed(1)
        while workload.clock() - begin < WARM_UP_SECONDS:
            fastest = min(fastest, self.timed(1))
        self.runs = max(1, round(seconds / fastest))
        return {"applies": True, "batches": batches}

    def check(self) -> int:
        """Checks the result and the number of batches of a run. Returns that number."""
        workload = self.workload
        assert workload is not None
        workload.flushes = 0
        value = self.loop.run_until_complete(awaited(self.run)) if self.on_loop else self.run()
        if value != workload.expected():
            raise AssertionError(f"{workload.title}: a wrong result, {str(value)[:200]}")
        batches, ideal = workload.flushes, workload.batches
        if ideal is not None and (batches < ideal or (self.is_asynq and batches != ideal)):
            raise AssertionError(f"{workload.title}: {batches} batches, where {ideal} is right")
        return batches

    def round(self) -> dict[str, Any]:
        workload = self.workload
        assert workload is not None
        if workload.is_memory:
            batches = self.check()
            grown = workload.blocked - workload.before  # type: ignore[attr-defined]
            return {"cost": grown / workload.units, "batches": batches}
        if workload.quantile is not None:
            self.timed(1)
            latencies = sorted(workload.latencies)
            return {"cost": latencies[int(workload.quantile * len(latencies))] * 1e9}
        return {"cost": self.timed(self.runs) / self.runs / workload.units * 1e9}

    def timed(self, runs: int) -> float:
        """Returns the seconds that so many runs take, by the clock of the workload."""
        run = self.run
        assert self.workload is not None
        clock = self.workload.clock
        if self.on_loop:
            return self.loop.run_until_complete(timed_in_loop(run, runs, clock))
        begin = clock()
        for _ in range(runs):
            run()
        return clock() - begin


async def awaited(run: Callable[[], Any]) -> Any:
    return await run()


async def timed_in_loop(run: Callable[[], Any], runs: int, clock: Callable[[], float]) -> float:
    begin = clock()
    for _ in range(runs):
        await run()
    return clock() - begin


def record() -> None:
    """Begins a recording that ends with the process."""
    import asynq

    asynq.explain(capacity=100_000).__enter__()


def data_loader(kind: str) -> Any:
    """Returns the DataLoader class, used with its defaults, which include the cache."""
    if kind == "aiodataloader":
        from aiodataloader import DataLoader
    else:
        from strawberry.dataloader import DataLoader
    return DataLoader


def main(kind: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the driver reports the interruption
    worker = Worker(kind)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
