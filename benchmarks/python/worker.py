"""One implementation in a process of its own, which does what the lines on its standard input say.

Runs in the virtual environment of that implementation. A request is a line of JSON, and so is its
answer:

    {"do": "describe"}             -> versions, and where the package comes from
    {"do": "prepare", "load": "…", "seconds": 0.1}
                                   -> checks a run, warms up, finds how many runs take so long
    {"do": "round"}                -> does as many, and says what one unit cost
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
        self.loop = asyncio.new_event_loop()
        self.workload: Workload | None = None
        self.run: Callable[[], Any] = lambda: None
        self.runs = 1

    def describe(self, package: str, module: str) -> dict[str, Any]:
        return {
            "version": importlib.metadata.version(package),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "file": importlib.import_module(module).__file__,
        }

    def prepare(self, load: str, seconds: float) -> dict[str, Any]:
        """Makes the program, and checks one run of it. `applies` is false if there is none."""
        workload = self.workload = WORKLOADS[load]()
        program = (
            workload.with_asynq()
            if self.kind == "asynq"
            else workload.with_loaders(data_loader(self.kind))
        )
        if program is None:
            return {"applies": False}
        self.run = program
        if workload.is_memory:  # is taken in fresh processes, whose first round this leaves
            return {"applies": True}
        batches = self.check()
        begin = workload.clock()
        fastest = self.timed(1)
        while workload.clock() - begin < WARM_UP_SECONDS:
            fastest = min(fastest, self.timed(1))
        self.runs = max(1, round(seconds / fastest))
        return {"applies": True, "batches": batches}

    def check(self) -> int:
        """A run returns what it should, in as many batches as it should: how many."""
        workload = self.workload
        assert workload is not None
        workload.flushes = 0
        value = (
            self.run() if self.kind == "asynq" else self.loop.run_until_complete(awaited(self.run))
        )
        if value != workload.expected():
            raise AssertionError(f"{workload.title}: a wrong result, {str(value)[:200]}")
        batches, ideal = workload.flushes, workload.batches
        if ideal is not None and (batches < ideal or (self.kind == "asynq" and batches != ideal)):
            raise AssertionError(f"{workload.title}: {batches} batches, where {ideal} is right")
        return batches

    def round(self) -> dict[str, Any]:
        workload = self.workload
        assert workload is not None
        if workload.is_memory:
            batches = self.check()
            grown = workload.blocked - workload.before  # type: ignore[attr-defined]
            return {"cost": grown / workload.units, "batches": batches}
        return {"cost": self.timed(self.runs) / self.runs / workload.units * 1e9}

    def timed(self, runs: int) -> float:
        """Seconds that so many runs take, by the clock of the workload."""
        run = self.run
        assert self.workload is not None
        clock = self.workload.clock
        if self.kind != "asynq":
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


def data_loader(kind: str) -> Any:
    """The class with its defaults, cache included. Both take the batch function first."""
    if kind == "aiodataloader":
        from aiodataloader import DataLoader
    else:
        from strawberry.dataloader import DataLoader
    return DataLoader


def main(kind: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the driver says what was interrupted
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
