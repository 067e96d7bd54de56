"""Runs the Python benchmarks: ours, asynq, aiodataloader and strawberry's DataLoader.

Measures on CPython 3.11 and on 3.13, writes benchmarks/python.md and benchmarks/python-3.13.md with
their pictures, and prints the tables. The first run creates the virtual environments in
target/bench-venvs and builds ours; delete that folder to update peers.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the package reporting

import environments
from client import Client, WorkerError
from peers import OTHERS, OURS, PEERS, RECORDED, Peer
from reporting.environment import REPOSITORY, InstallError, draw, tell, version
from rounds import Result, measure
from table import label, report
from workloads import WORKLOADS

COMMAND = "python benchmarks/python/run.py"
SECONDS = 0.1  # duration of a turn, unless a single run takes longer
ROUNDS, QUICK_ROUNDS = 15, 3
#: Workloads that are measured in a recording, too.
RECORDED_LOADS = (
    "two-level-fan-out",
    "fan-out-by-loaders",
    "staggered",
    "synchronous-call",
    "100-loads-on-a-loop",
)
MEMORY_ROUNDS, QUICK_MEMORY_ROUNDS = 5, 1


def main() -> int:
    options = arguments()
    loads = [
        load for load in WORKLOADS if not options.only or any(word in load for word in options.only)
    ]
    try:
        pythons = [options.python] if options.python else environments.default_pythons()
        for python in pythons:
            run(python, options, loads)
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is written", file=sys.stderr)
        return 130
    except (InstallError, WorkerError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROUNDS} rounds instead of {ROUNDS}; prints the table, writes nothing",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="WORD",
        help="workloads whose name has one of these words in it; writes nothing. There are: "
        + ", ".join(WORKLOADS),
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter to measure on "
        f"(default: each of {', '.join(environments.WANTED)} that is installed)",
    )
    parser.add_argument(
        "--ours-python",
        metavar="PATH",
        help=f"an interpreter that has {OURS.name} already: nothing is built",
    )
    options = parser.parse_args()
    if options.only:
        for word in options.only:
            if not any(word in load for load in WORKLOADS):
                parser.error(
                    f"no workload has {word!r} in its name; there are: {', '.join(WORKLOADS)}"
                )
    for path in (options.python, options.ours_python):
        if path is not None and version(path) is None:
            parser.error(f"no Python interpreter runs at {path}")
    return options


def run(python: str, options: argparse.Namespace, loads: list[str]) -> None:
    interpreters = environments.prepare(python, options.ours_python)
    interpreters[RECORDED] = interpreters[OURS]
    described = {peer: describe(peer, interpreters[peer]) for peer in PEERS}
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    memory_rounds = QUICK_MEMORY_ROUNDS if options.quick else MEMORY_ROUNDS
    results = []
    for load in loads:
        count = memory_rounds if WORKLOADS[load].is_memory else rounds
        progress = Progress(load)
        results.append(measure(load, interpreters, count, SECONDS, progress))
        progress.done(results[-1])

    recorded = []
    for load in loads:
        if load in RECORDED_LOADS:
            progress = Progress(f"{load}, recorded")
            peers = (OURS, RECORDED)
            recorded.append(measure(load, interpreters, rounds, SECONDS, progress, peers))
            progress.done_with(f"{recorded[-1].recorded()} as long")

    picture = REPOSITORY / "benchmarks" / f"{environments.report_name(python)}.svg"
    text = report(results, recorded, described, COMMAND, rounds, SECONDS, picture.name)
    print(text)
    if options.quick or options.only:
        tell("nothing is written: the files are those of a whole run")
        return
    peers = {peer.name: label(peer, described) for peer in OTHERS}
    draw({"rows": rows(results), "peers": peers, "ours": OURS.name}, picture, python)
    picture.with_suffix(".md").write_text(text, encoding="utf-8")
    tell(f"written: benchmarks/{picture.stem}.md, benchmarks/{picture.name}")


def describe(peer: Peer, interpreter: str) -> dict[str, str]:
    with closing(Client(peer, interpreter)) as client:
        described = client.ask("describe", package=peer.package, module=peer.module)
    if peer.compiled and described["file"].endswith(".py"):
        raise InstallError(f"{peer.name}: {described['file']} is not compiled; its wheel is needed")
    return described


def rows(results: list[Result]) -> list[dict[str, Any]]:
    """Returns the data of the picture."""
    return [
        {
            "title": result.workload.title,
            "goal": result.workload.goal,
            "is_memory": result.workload.is_memory,
            "ratios": {
                peer.name: [ratio.median, ratio.low, ratio.high]
                for peer in OTHERS
                for ratio in [result.ratio(peer)]
                if ratio is not None
            },
        }
        for result in results
    ]


class Progress:
    """Shows the progress: one line per workload on standard error, updated on a terminal."""

    def __init__(self, load: str) -> None:
        self.load = load
        self.live = sys.stderr.isatty()
        if not self.live:
            print(f"{load} …", end=" ", file=sys.stderr, flush=True)

    def __call__(self, what: str, turn: int, rounds: int) -> None:
        if self.live:
            what = what or f"round {turn + 1} of {rounds}"
            print(f"\r\x1b[K{self.load}: {what}", end="", file=sys.stderr, flush=True)

    def done(self, result: Result) -> None:
        ratio = result.goal_ratio()
        assert ratio is not None
        self.done_with(f"{ratio.median:.2f} × to {result.workload.goal_peer}")

    def done_with(self, text: str) -> None:
        start = f"\r\x1b[K{self.load}: " if self.live else ""
        print(f"{start}{text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
