"""Counts the instructions that one unit of each workload takes, ours and the other's of the goal.

Times differ from run to run, most of all on a machine that does other work; counts hardly do.
Needs valgrind. A process that has made a run, and so has filled its caches, is compared with one
that makes more runs then.

    python benchmarks/python/instructions.py --ours PYTHON [--reference PYTHON]
        [--aiodataloader PYTHON] [--only WORD …]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

from peers import AIODATALOADER, REFERENCE
from reporting.markdown import NOTHING, table
from workloads import WORKLOADS, Workload

#: Number of units that are counted at least.
MIN_UNITS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", metavar="PATH", help="an interpreter that has asynq-rs")
    parser.add_argument("--reference", metavar="PATH", help="an interpreter that has asynq 1.6.0")
    parser.add_argument("--aiodataloader", metavar="PATH", help="an interpreter that has it")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="some of the workloads")
    parser.add_argument("--runs", nargs=2, metavar=("LOAD", "RUNS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.runs:
        run(options.runs[0], int(options.runs[1]))
        return
    others = {REFERENCE.name: options.reference, AIODATALOADER.name: options.aiodataloader}
    rows = []
    for load, workload in WORKLOADS.items():
        is_chosen = not options.only or any(word in load for word in options.only)
        sleeps = workload.title == "overlap" or workload.quantile is not None
        if workload.is_memory or sleeps or not is_chosen:
            continue
        ours, other = (
            path and per_unit(path, load) for path in (options.ours, others[workload.goal_peer])
        )
        counts = [f"{count:,.0f}" if count else NOTHING for count in (ours, other)]
        ratio = f"{other / ours:.2f} ×" if ours and other else NOTHING
        goal = NOTHING if workload.goal is None else f"{workload.goal} ×"
        rows.append([workload.title, *counts, ratio, goal])
        print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
    print(table(["instructions", "ours", "other", "ratio", "goal"], rows))


def per_unit(python: str, load: str) -> float:
    runs = max(1, MIN_UNITS // WORKLOADS[load].units)
    before, after = (instructions(python, load, count) for count in (0, runs))
    return (after - before) / WORKLOADS[load].units / runs


def instructions(python: str, load: str, runs: int) -> int:
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*tool, python, __file__, "--runs", load, str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "0"})
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or counted is None:
        raise SystemExit(f"{load}: {done.stderr}")
    return int(counted[1])


def run(load: str, runs: int) -> None:
    """Runs the program so many times, after a run that fills the caches and is checked."""
    workload = WORKLOADS[load]()
    try:
        import aiodataloader
    except ImportError:
        program = workload.with_asynq()
    else:
        program = workload.with_loaders(aiodataloader.DataLoader)
    if workload.on_loop:
        asyncio.run(run_on_loop(workload, program, runs))
        return
    check(workload, program())
    for _ in range(runs):
        program()


async def run_on_loop(workload: Workload, program: Callable[[], Any], runs: int) -> None:
    check(workload, await program())
    for _ in range(runs):
        await program()


def check(workload: Workload, value: Any) -> None:
    if value != workload.expected():
        raise SystemExit(f"{workload.title}: a wrong result")


if __name__ == "__main__":
    main()
