"""Counts the instructions of the Rust benchmarks by callgrind, which do not vary as times do.

Prints the instructions of one unit (load, request, call) of each workload by each implementation.
A count is the difference between one run and three, so what is done once does not count. It needs
valgrind.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

from reporting.environment import REPOSITORY, tell

MANIFEST = Path(__file__).with_name("Cargo.toml")
TARGET = REPOSITORY / "target" / "benchmarks"
PROGRAM = TARGET / "release" / "asynq-benchmarks"
COUNT = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]

#: Workloads, with the number of units in a run.
WORKLOADS = {
    "tiny-request": 1,
    "fan-out-100": 200,
    "fan-out-10000": 20_000,
    "uneven-depth": 1_000,
    "staggered": 20_000,
    "synchronous-call": 100,
}
PEERS = [
    "asynq (ours)",
    "asynq-loaders (ours)",
    "asynq-request (ours)",
    "asynq-request-join_all (ours)",
    "async_dataloader",
    "floor",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--peers", nargs="+", default=PEERS)
    options = parser.parse_args()
    tell("building")
    build = ["cargo", "build", "--release", "--locked", "--bin", "asynq-benchmarks"]
    paths = ["--manifest-path", str(MANIFEST), "--target-dir", str(TARGET)]
    subprocess.run([*build, *paths], check=True)
    print(" " * 18, *(f"{peer:>29}" for peer in options.peers))
    for workload in options.workloads:
        print(f"{workload:18}", end="", flush=True)
        for peer in options.peers:
            one, three = (instructions(workload, peer, runs) for runs in (1, 3))
            print(f" {(three - one) / 2 / WORKLOADS[workload]:29,.0f}", end="", flush=True)
        print()


def instructions(workload: str, peer: str, runs: int) -> int:
    """Returns the number of instructions of a process that does some runs."""
    command = [*COUNT, str(PROGRAM), "--only", workload, peer, "--runs", str(runs)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    collected = re.search(r"Collected : (\d+)", output)
    if collected is None:
        sys.exit(f"callgrind has counted nothing:\n{output}")
    return int(collected[1])


if __name__ == "__main__":
    main()
