"""The goals of the Rust benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reporting.spread import Spread
from results import Peer, Result, Results

#: Minimum ratio of the time of the fastest library to ours.
FASTER = 2
#: Maximum ratio to the time of `join_all` for functions that return immediately.
FLOOR, FLOOR_TITLE = 1.3, "fan-out 10,000"
#: Maximum ratio of memory to that library.
MEMORY, MEMORY_PEER = 0.5, "async_dataloader"
#: Maximum number of polls of a task with two loads.
POLLS = 3
#: Maximum ratio of a round with overlapping sources to the sleep of one source (in ns).
OVERLAP, OVERLAP_TITLE, SLEEP = 1.25, "overlap", 20e6


@dataclass(frozen=True)
class Goal:
    what: str
    wanted: str
    measured: str
    reached: bool


def goals(results: Results) -> list[Goal]:
    """Returns the goals that these results cover."""
    ours = results.ours
    return list(judge(results, ours)) if ours else []


def judge(results: Results, ours: Peer) -> Iterator[Goal]:
    counted = [result for result in results.times + results.threads if ours.name in result.costs]
    if counted:
        others = [result.title for result in counted if not result.is_ideal(ours)]
        measured = f"not in {', '.join(others)}" if others else "in each run"
        yield Goal("batches, in every workload", "the ideal number", measured, not others)
    for result in results.times:
        fastest = fastest_library(result, results.libraries)
        if fastest is None:
            continue
        ratio = times_faster(result, ours, results.libraries)
        yield Goal(
            f"{result.title}: times faster than the fastest library",
            f"at least {FASTER} ×",
            f"{ratio}, {fastest.name}",
            ratio.median >= FASTER,
        )
    for result in results.times:
        loaders = results.named("asynq loaders")
        if result.title == OVERLAP_TITLE and loaders:
            ratio = Spread.of(cost / SLEEP for cost in result.costs[loaders.name])
            what = f"{result.title}, {loaders.name}: times what one source sleeps"
            yield Goal(what, f"at most {OVERLAP} ×", str(ratio), ratio.median <= OVERLAP)
    floor = results.named("floor")
    for result in results.times:
        ratio = result.ratio(ours, floor) if floor and result.title == FLOOR_TITLE else None
        if ratio is not None:
            what = f"{result.title}: times the floor"
            yield Goal(what, f"at most {FLOOR} ×", str(ratio), ratio.median <= FLOOR)
    other = results.named(MEMORY_PEER)
    for result in results.memory:
        share = result.ratio(ours, other) if other else None
        if share is not None:
            what = f"{result.title}: share of that of {MEMORY_PEER}"
            yield Goal(what, f"at most {MEMORY} ×", str(share), share.median <= MEMORY)
    polls = [(result.title, result.cost(ours)) for result in results.polls]
    if polls:
        others = [f"{title}: {count:.2f}" for title, count in polls if count != POLLS]
        measured = ", ".join(others) or f"{POLLS}"
        yield Goal("polls of a task with two loads", f"{POLLS}", measured, not others)


def fastest_library(result: Result, libraries: list[Peer]) -> Peer | None:
    measured = [(cost, peer) for peer in libraries if (cost := result.cost(peer)) is not None]
    return min(measured, key=lambda pair: pair[0])[1] if measured else None


def times_faster(result: Result, ours: Peer, libraries: list[Peer]) -> Spread:
    """Returns the ratio of the fastest library of each round to ours."""
    costs = [result.costs[peer.name] for peer in libraries if peer.name in result.costs]
    fastest = [min(of_round) for of_round in zip(*costs)]
    return Spread.of(cost / own for cost, own in zip(fastest, result.costs[ours.name]))
