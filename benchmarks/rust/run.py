"""Runs the Rust benchmarks: ours and other loaders.

Builds them in target/benchmarks, writes benchmarks/rust.md and benchmarks/rust.svg, and prints the
table. To repeat a single measurement, run the program itself, see benchmarks/rust/README.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

import instructions
from goals import FASTER, MEMORY, PEER
from instructions import MANIFEST, TARGET
from reporting.environment import REPOSITORY, InstallError, draw, tell
from results import Result, Results
from table import label, report

COMMAND = "python benchmarks/rust/run.py"
MEASURE = ["--bin", "asynq-benchmarks"]
COUNT = ["--bin", "count", "--features", "count"]
EXPLAIN = ["--bin", "explain", "--features", "explain"]
#: Workloads that are measured while they are recorded, too.
RECORDED = ["tiny-request", "fan-out-100", "fan-out-10000", "staggered"]


def main() -> int:
    options = arguments()
    try:
        return run(options)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is written", file=sys.stderr)
        return 130
    except (InstallError, OSError, subprocess.CalledProcessError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a few rounds; prints the table, writes nothing"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="WORD",
        help="measurements and implementations whose names have one of these words in them; writes "
        "nothing",
    )
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    tell("building, which takes minutes the first time")
    for what in (MEASURE, COUNT, EXPLAIN):
        build(*what)
    chosen = ["--quick"] if options.quick else []
    if options.only:
        chosen += ["--only", *options.only]
    results = Results()
    results.read(output_of("asynq-benchmarks", "--json", *chosen))
    if not options.only:
        results.read(output_of("count"))
    if not chosen:
        results.instructions = count_instructions(results)
    recorded = Results()
    if not options.only:
        quick = ["--quick"] if options.quick else []
        recorded.read(output_of("explain", "--json", *quick, "--only", *RECORDED))
    versions = crate_versions()
    picture = REPOSITORY / "benchmarks" / "rust.svg"
    text = report(results, recorded, versions, rust_version(), COMMAND, picture.name)
    print(text)
    if chosen:
        tell("nothing is written: the files are those of a whole run")
        return 0
    draw(drawn(results, versions), picture, sys.executable)
    picture.with_suffix(".md").write_text(text, encoding="utf-8")
    tell("written: benchmarks/rust.md, benchmarks/rust.svg")
    return 0


def drawn(results: Results, versions: dict[str, str]) -> dict[str, Any]:
    ours = results.ours
    assert ours is not None
    rows = []
    for result in results.times + results.memory:
        is_memory = result in results.memory
        ratios = {}
        for peer in results.libraries:
            ratio = result.ratio(ours, peer) if is_memory else result.ratio(peer, ours)
            if ratio is not None:
                ratios[peer.name] = [ratio.median, ratio.low, ratio.high]
        goal = memory_goal(result, results) if is_memory else FASTER[ours.name].get(result.title)
        row = {"title": result.title, "goal": goal, "is_memory": is_memory, "ratios": ratios}
        if ratios:
            rows.append(row)
    peers = {peer.name: label(peer, versions) for peer in results.libraries}
    return {"rows": rows, "peers": peers, "ours": ours.name}


def memory_goal(result: Result, results: Results) -> float | None:
    """Returns the goal as a share of the memory of the peer, as it was measured."""
    peer = results.named(PEER)
    cost = result.cost(peer) if peer else None
    return MEMORY / cost if cost else None


def count_instructions(results: Results) -> list[Result]:
    if not instructions.is_available():
        tell("valgrind is missing, so no instructions are counted")
        return []
    counted = []
    for result in results.times:
        if result.title in instructions.USUAL:
            tell(f"instructions of {result.title}")
            counts = instructions.count(result.title, instructions.PEERS)
            costs = {peer: [count] for peer, count in counts.items()}
            counted.append(replace(result, costs=costs, batches={}))
    return counted


def output_of(program: str, *arguments: str) -> list[str]:
    """Returns the output lines of the program, which reports its progress on standard error."""
    command = [str(TARGET / "release" / program), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise InstallError(f"{program} ended with {done.returncode}")
    return done.stdout.splitlines()


def crate_versions() -> dict[str, str]:
    """Returns the versions of all crates, without the downloads of `cargo metadata`."""
    lock = MANIFEST.with_name("Cargo.lock").read_text(encoding="utf-8")
    return dict(re.findall(r'^name = "(.+)"\nversion = "(.+)"$', lock, re.MULTILINE))


def rust_version() -> str:
    return subprocess.run(
        ["rustc", "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def build(*what: str) -> None:
    command = ["cargo", "build", "--release", "--manifest-path", str(MANIFEST), *what]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
