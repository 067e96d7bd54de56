"""The goals of the Rust benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reporting.spread import Spread
from results import Peer, Results

#: The library that the goals compare with: the fastest on one thread.
PEER = "async_dataloader"
LOADERS, REQUEST = "asynq loaders", "asynq request"

#: How many times as long the peer must take, by implementation and workload.
FASTER = {
    "asynq": {
        "fan-out 100": 2,
        "fan-out 10,000": 2,
        "uneven depth": 2,
        "nested calls": 2,
        "staggered": 2,
        "synchronous call": 2,
    },
    LOADERS: {"fan-out 10,000": 2},
    REQUEST: {"fan-out 100": 3, "fan-out 10,000": 3},
}
#: Instructions of a unit at most, by implementation and workload.
INSTRUCTIONS = {
    "asynq": {
        "tiny request": 9_000,
        "fan-out 100": 900,
        "fan-out 10,000": 880,
        "uneven depth": 1_500,
        "nested calls": 1_100,
        "staggered": 850,
        "synchronous call": 140,
    },
    LOADERS: {"fan-out 10,000": 1_200},
    REQUEST: {
        "tiny request": 8_500,
        "fan-out 100": 650,
        "fan-out 10,000": 600,
        "uneven depth": 1_000,
    },
}
#: Maximum ratio of loaders to batches by hand.
BY_HAND = {"fan-out 10,000": 1.15, "fan-out 1,000,000": 1.5}
#: Bytes at the peak, at most.
MEMORY = 260e6
#: Allocations of a load, at most.
ALLOCATIONS, ALLOCATIONS_TITLE = 0.01, "fan-out 10,000"
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
    if ours is None:
        return []
    parts = (of_batches, of_times, of_forms, of_instructions, of_memory, of_polls)
    return [goal for part in parts for goal in part(results, ours)]


def of_batches(results: Results, ours: Peer) -> Iterator[Goal]:
    counted = [result for result in results.times + results.threads if ours.name in result.costs]
    if counted:
        others = [result.title for result in counted if not result.is_ideal(ours)]
        measured = f"not in {', '.join(others)}" if others else "in each run"
        yield Goal("batches, in every workload", "the ideal number", measured, not others)


def of_times(results: Results, ours: Peer) -> Iterator[Goal]:
    other = results.named(PEER)
    for name, wanted in FASTER.items():
        form = results.named(name)
        for result in results.times:
            ratio = result.ratio(other, form) if other and form else None
            if ratio is not None and result.title in wanted:
                least = wanted[result.title]
                what = f"{result.title}, {name}: times faster than {PEER}"
                yield Goal(what, f"at least {least} ×", str(ratio), ratio.median >= least)


def of_forms(results: Results, ours: Peer) -> Iterator[Goal]:
    loaders = results.named(LOADERS)
    for result in results.times if loaders else []:
        ratio = result.ratio(loaders, ours)
        if ratio is not None and result.title in BY_HAND:
            most = BY_HAND[result.title]
            what = f"{result.title}, {LOADERS}: times batches by hand"
            yield Goal(what, f"at most {most} ×", str(ratio), ratio.median <= most)
        if result.title == OVERLAP_TITLE and loaders.name in result.costs:
            slept = Spread.of(cost / SLEEP for cost in result.costs[loaders.name])
            what = f"{result.title}, {LOADERS}: times what one source sleeps"
            yield Goal(what, f"at most {OVERLAP} ×", str(slept), slept.median <= OVERLAP)


def of_instructions(results: Results, ours: Peer) -> Iterator[Goal]:
    for name, wanted in INSTRUCTIONS.items():
        form = results.named(name)
        for result in results.instructions if form else []:
            count = result.cost(form)
            if count is not None and result.title in wanted:
                what = f"{result.title}, {name}: instructions of a {result.unit}"
                yield at_most(what, count, wanted[result.title])


def of_memory(results: Results, ours: Peer) -> Iterator[Goal]:
    for result in results.memory:
        peak = result.cost(ours)
        if peak is not None:
            reached = peak <= MEMORY
            yield Goal(result.title, f"at most {megabytes(MEMORY)}", megabytes(peak), reached)
    for result in results.allocations:
        count = result.cost(ours)
        if result.title == ALLOCATIONS_TITLE and count is not None:
            yield at_most(f"{result.title}: allocations of a {result.unit}", count, ALLOCATIONS)


def of_polls(results: Results, ours: Peer) -> Iterator[Goal]:
    polls = [(result.title, result.cost(ours)) for result in results.polls]
    if polls:
        others = [f"{title}: {count:.2f}" for title, count in polls if count != POLLS]
        measured = ", ".join(others) or f"{POLLS}"
        yield Goal("polls of a task with two loads", f"{POLLS}", measured, not others)


def at_most(what: str, measured: float, most: float) -> Goal:
    return Goal(what, f"at most {number(most)}", number(measured), measured <= most)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.3f}".rstrip("0").rstrip(".")


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
