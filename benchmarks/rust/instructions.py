"""Counts the instructions of the Rust benchmarks by callgrind, which do not vary as times do.

Prints the instructions of one unit (load, request, call) of each workload by each implementation.
A count is the difference between one run and three, so what is done once does not count. It needs
valgrind.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

from reporting.environment import REPOSITORY, InstallError, tell

MANIFEST = Path(__file__).with_name("Cargo.toml")
TARGET = REPOSITORY / "target" / "benchmarks"
PROGRAM = TARGET / "release" / "asynq-benchmarks"
COUNT = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]

#: Workloads, with the number of units in a run.
WORKLOADS = {
    "tiny request": 1,
    "fan-out 100": 200,
    "fan-out 10,000": 20_000,
    "fan-out 1,000,000": 2_000_000,
    "uneven depth": 1_000,
    "nested calls": 10_000,
    "staggered": 20_000,
    "synchronous call": 100,
}
#: Takes minutes, so it is counted only when it is chosen.
LARGEST = "fan-out 1,000,000"
USUAL = [workload for workload in WORKLOADS if workload != LARGEST]
OURS = ["asynq", "asynq loaders", "asynq request", "asynq request join_all"]
PEERS = [*OURS, "async_dataloader", "floor"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    slugs = {slug(workload): workload for workload in WORKLOADS}
    parser.add_argument(
        "--workloads", nargs="+", default=[slug(one) for one in USUAL], choices=slugs
    )
    parser.add_argument("--peers", nargs="+", default=PEERS, metavar="NAME")
    options = parser.parse_args()
    tell("building")
    build = ["cargo", "build", "--release", "--locked", "--bin", "asynq-benchmarks"]
    paths = ["--manifest-path", str(MANIFEST), "--target-dir", str(TARGET)]
    subprocess.run([*build, *paths], check=True)
    print(" " * 18, *(f"{peer:>22}" for peer in options.peers))
    for workload in map(slugs.__getitem__, options.workloads):
        counts = count(workload, options.peers)
        print(f"{workload:18}", *(f"{counts[peer]:22,.0f}" for peer in options.peers), flush=True)


def is_available() -> bool:
    return shutil.which("valgrind") is not None


def count(workload: str, peers: list[str]) -> dict[str, float]:
    """Returns the instructions of a unit, by implementation."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = {
            peer: [pool.submit(instructions, workload, peer, runs) for runs in (1, 3)]
            for peer in peers
        }
        return {
            peer: (three.result() - one.result()) / 2 / WORKLOADS[workload]
            for peer, (one, three) in counted.items()
        }


def instructions(workload: str, peer: str, runs: int) -> int:
    """Returns the number of instructions of a process that does some runs."""
    only = [slug(workload), f"{slug(peer)} (ours)" if peer in OURS else peer]
    command = [*COUNT, str(PROGRAM), "--only", *only, "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise InstallError(f"callgrind has counted nothing:\n{done.stderr}")
    return int(collected[1])


def slug(name: str) -> str:
    """Returns the name as it is written on the command line of the program."""
    return name.replace(",", "").replace(" ", "-")


if __name__ == "__main__":
    main()
