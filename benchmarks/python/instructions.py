"""Counts the instructions that one unit of each workload takes, ours and the reference's.

Times differ from run to run, most of all on a machine that does other work; counts hardly do.
Needs valgrind. A process that has made a run, and so has filled its caches, is compared with one
that makes another run then.

    python benchmarks/python/instructions.py --ours PYTHON [--reference PYTHON] [--only WORD …]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

from reporting.markdown import NOTHING, table
from workloads import WORKLOADS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", metavar="PATH", help="an interpreter that has asynq-rs")
    parser.add_argument("--reference", metavar="PATH", help="an interpreter that has asynq 1.6.0")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="some of the workloads")
    parser.add_argument("--runs", nargs=2, metavar=("LOAD", "RUNS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.runs:
        run(options.runs[0], int(options.runs[1]))
        return
    interpreters = [path for path in (options.ours, options.reference) if path]
    rows = []
    for load, workload in WORKLOADS.items():
        is_chosen = not options.only or any(word in load for word in options.only)
        if workload.is_memory or workload.title == "overlap" or not is_chosen:
            continue
        counts = [per_unit(path, load) for path in interpreters]
        ratio = f"{counts[1] / counts[0]:.1f} ×" if len(counts) > 1 else NOTHING
        goal = NOTHING if workload.goal is None else f"{workload.goal} ×"
        rows.append([f"{workload.title}", *(f"{count:,.0f}" for count in counts), ratio, goal])
        print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
    head = ["instructions", *interpreters, "ratio", "goal"]
    print(table(head, rows))


def per_unit(python: str, load: str) -> float:
    before, after = (instructions(python, load, runs) for runs in (0, 1))
    return (after - before) / WORKLOADS[load].units


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
    program: Callable[[], Any] = workload.with_asynq()
    if program() != workload.expected():
        raise SystemExit(f"{load}: a wrong result")
    for _ in range(runs):
        program()


if __name__ == "__main__":
    main()
