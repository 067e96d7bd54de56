"""Runs the programs that a profile-guided build is optimised for.

It is the `pgo-command` of python/pyproject.toml.
"""

from __future__ import annotations

import asyncio

from workloads import WORKLOADS, Workload
from workloads.chain import Chain
from workloads.fan_out import ANSWERS, FanOut

#: Minimum number of runs of a program.
RUNS = 3
#: Number of units in all runs of a program: what it has few of would be taken for rare.
UNITS = 30_000


def main() -> None:
    for load in WORKLOADS.values():
        workload = load()
        program = workload.with_asynq()
        for _ in range(number_of_runs(workload)):
            value = asyncio.run(program()) if workload.on_loop else program()
            if value != workload.expected():
                raise SystemExit(f"{workload.title}: a wrong result")
    run_coroutines()


def number_of_runs(workload: Workload) -> int:
    waits = workload.on_loop or workload.is_memory or workload.title == "overlap"
    return RUNS if waits else max(RUNS, UNITS // workload.units)


def run_coroutines() -> None:
    from programs import coroutines

    for store in (coroutines.links, coroutines.authors, coroutines.names):
        store.workload = FanOut()
    for _ in range(number_of_runs(Chain())):
        coroutines.link(Chain.units)
    for _ in range(RUNS):
        if coroutines.all_author_names(ANSWERS) != FanOut().expected():
            raise SystemExit("coroutines: a wrong result")


if __name__ == "__main__":
    main()
