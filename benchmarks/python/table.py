"""The report in Markdown."""

from __future__ import annotations

import inspect
from typing import Any

from peers import OTHERS, OURS, PEERS, RECORDED, REFERENCE, Peer
from reporting.machine import machine
from reporting.markdown import NOTHING, duration, table, verdict
from rounds import Result

HEAD = """\
# Python: what a load, a task and a call cost

Repeat with: `{command}`

{machine}. {versions}.

How many times faster {ours} is than each of the others: the median over {rounds} rounds, in
brackets the quartiles. In a round every implementation works in turn, each in a process and a
virtual environment of its own, for {seconds:g} s or one run of the program, and only what they took
in the same round is compared, in processor time where nobody sleeps. The cyclic garbage collector
runs as it does by default. Every program has been checked before it was timed: its result, and its
number of batches.

![The same as a picture]({picture})
"""


def report(
    results: list[Result],
    recorded: list[Result],
    described: dict[Peer, dict[str, Any]],
    command: str,
    rounds: int,
    seconds: float,
    picture: str,
) -> str:
    parts = [
        HEAD.format(
            command=command,
            machine=f"{machine()}; {pythons(described)}",
            versions=", ".join(label(peer, described) for peer in PEERS),
            ours=OURS.name,
            rounds=rounds,
            seconds=seconds,
            picture=picture,
        )
    ]
    timed = [result for result in results if not result.workload.is_memory]
    memory = [result for result in results if result.workload.is_memory]
    if timed:
        parts.append(ratios(timed, "at least "))
    if memory:
        fresh = len(memory[0].costs[OURS])
        parts.append(
            f"The share of the others' memory that {OURS.name} takes (less is better); median of\n"
            f"{fresh} rounds, each in fresh processes:\n"
        )
        parts.append(ratios(memory, "at most "))
    if recorded:
        parts.append(
            "How many times as long a program takes while `asynq.explain()` records it (the goal\n"
            "is at most 1.1 ×):\n"
        )
        parts.append(recordings(recorded))
    if any(result.reached() is False for result in results):
        parts.append("**Not every goal is reached.**\n")
    if timed:
        parts.append("Median times, of this machine; and how many batches a run was done in:\n")
    else:
        parts.append("Median sizes; and how many batches a run was done in:\n")
    parts.append(costs(results))
    parts.append("What is run:\n")
    parts.append("".join(explanation(result) for result in results))
    return "\n".join(parts)


def ratios(results: list[Result], bound: str) -> str:
    head = ["", *(f"to {peer.name}" for peer in OTHERS), "goal", "reached"]
    rows = []
    for result in results:
        cells = [str(result.ratio(peer) or NOTHING) for peer in OTHERS]
        wanted = result.workload.goal
        goal = NOTHING if wanted is None else f"{bound}{wanted:g} ×"
        if wanted is not None and result.workload.goal_peer != REFERENCE.name:
            goal += f" to {result.workload.goal_peer}"
        rows.append([result.workload.title, *cells, goal, verdict(result.reached())])
    return table(head, rows)


def recordings(results: list[Result]) -> str:
    head = ["", "recorded", "time without", "time recorded"]
    rows = []
    for result in results:
        times = [amount(result.cost(peer), False) for peer in (OURS, RECORDED)]
        rows.append([result.workload.title, str(result.recorded()), *times])
    return table(head, rows)


def costs(results: list[Result]) -> str:
    names = [peer.name for peer in PEERS]
    head = ["one", *names, *(f"batches: {name}" for name in names)]
    rows = []
    for result in results:
        row = [f"{result.workload.unit} ({result.workload.title})"]
        row += [amount(result.cost(peer), result.workload.is_memory) for peer in PEERS]
        row += [
            f"{result.batches[peer]:,}" if peer in result.batches else NOTHING for peer in PEERS
        ]
        rows.append(row)
    return table(head, rows)


def explanation(result: Result) -> str:
    text = " ".join((inspect.getdoc(result.workload) or "").split())
    return f"- **{result.workload.title}**: {text}\n"


def amount(cost: float | None, is_memory: bool) -> str:
    if cost is None:
        return NOTHING
    return f"{cost:,.0f} B" if is_memory else duration(cost)


def label(peer: Peer, described: dict[Peer, dict[str, Any]]) -> str:
    return f"{peer.name} {described[peer]['version']}"


def pythons(described: dict[Peer, dict[str, Any]]) -> str:
    return " and ".join(sorted({entry["python"] for entry in described.values()}))
