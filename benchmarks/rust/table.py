"""The report in Markdown."""

from __future__ import annotations

from goals import goals
from reporting.machine import machine
from reporting.markdown import NOTHING, duration, table, verdict
from results import Peer, Result, Results

HEAD = """\
# Rust: what a load, a request and a call cost

Repeat with: `{command}`

{machine}; {rust}. {versions}.

All run in one process and take turns: in each round every implementation runs its program for
0.05 s, or once if that takes longer, and only what they took in the same round is compared. A ratio
is the median of {rounds} rounds, in brackets the quartiles. The other libraries run on tokio's
current-thread runtime, outside of its cooperative budget (`unconstrained`): within it, a channel of
tokio that has used it up makes `join_all` poll all its children in vain. All ask the same tables in
memory, whose rows are numbers; a batch has no key twice. Every program has been checked before it
was timed: its result, and its number of batches.

![The same as a picture]({picture})
"""


def report(
    results: Results,
    recorded: Results,
    versions: dict[str, str],
    rust: str,
    command: str,
    picture: str,
) -> str:
    rounds = sorted({result.rounds for result in results.times + results.threads}, reverse=True)
    head = HEAD.format(
        command=command,
        machine=machine(),
        rust=rust,
        versions=", ".join(label(peer, versions) for peer in results.peers if peer.package),
        rounds=" or ".join(map(str, rounds)) or "no",
        picture=picture,
    )
    parts = (goals_part, times_part, instructions_part, threads_part, counts_part)
    texts = [text for part in parts for text in part(results)]
    return "\n".join([head, *texts, *recorded_part(recorded), *explanations(results)])


def goals_part(results: Results) -> list[str]:
    judged = goals(results)
    if not judged:
        return []
    rows = [[goal.what, goal.measured, goal.wanted, verdict(goal.reached)] for goal in judged]
    parts = ["## Goals\n", table(["", "measured", "goal", "reached"], rows)]
    if not all(goal.reached for goal in judged):
        parts.append("**Not every goal is reached.**\n")
    return parts


def times_part(results: Results) -> list[str]:
    if not results.times:
        return []
    ours, times = results.ours, results.times
    parts = ["## Times\n"]
    if ours and results.libraries:
        columns = {
            peer.name: [ratio(result, peer, ours) for result in times] for peer in results.libraries
        }
        parts += [f"How many times faster {ours.name} is than each of the others:\n"]
        parts += [matrix(times, columns)]
    if ours and results.forms:
        columns = {
            peer.name: [ratio(result, peer, ours) for result in times] for peer in results.forms
        }
        parts += ["How many times as long ours takes by other means than with batches by hand:\n"]
        parts += [matrix(times, columns)]
    if ours and results.bounds:
        columns = {
            peer.name: [ratio(result, ours, peer) for result in times] for peer in results.bounds
        }
        parts += [f"How many times as long {ours.name} takes as what cannot be undercut:\n"]
        parts += [matrix(times, columns)]
    columns = {"one": [result.unit for result in times]}
    columns |= {peer.name: [time(result, peer) for result in times] for peer in results.peers}
    parts += ["Median times, of this machine:\n", matrix(times, columns)]

    batching = [result for result in times if result.ideal_batches]
    columns = {"ideal": [ideal(result) for result in batching]}
    columns |= {peer.name: [batches(result, peer) for result in batching] for peer in results.peers}
    parts += ["Batches of a run, the fewest and the most:\n", matrix(batching, columns)]
    return parts


def instructions_part(results: Results) -> list[str]:
    counted = results.instructions
    if not counted:
        return []
    peers = [peer for peer in results.peers if any(peer.name in one.costs for one in counted)]
    columns = {"of one": [result.unit for result in counted]}
    columns |= {peer.name: [instructions(result, peer) for result in counted] for peer in peers}
    return ["## Instructions\n", "By callgrind:\n", matrix(counted, columns)]


def threads_part(results: Results) -> list[str]:
    threads = results.threads
    peers = [peer for peer in results.peers if any(peer.name in one.costs for one in threads)]
    if not peers:
        return []
    columns = {"ideal": [ideal(result) for result in threads]}
    columns |= {peer.name: [batches(result, peer) for result in threads] for peer in peers}
    parts = ["## Two threads\n", "Batches of a run, the fewest and the most:\n"]
    parts += [matrix(threads, columns)]
    columns = {"one": [result.unit for result in threads]}
    columns |= {peer.name: [time(result, peer) for result in threads] for peer in peers}
    return [*parts, "Median times:\n", matrix(threads, columns)]


def counts_part(results: Results) -> list[str]:
    parts = []
    if results.memory:
        columns = {
            peer.name: [megabytes(result, peer) for result in results.memory]
            for peer in results.peers
        }
        parts += ["## Memory at its peak\n", matrix(results.memory, columns)]
    if results.allocations:
        columns = {"for one": [result.unit for result in results.allocations]}
        columns |= counts(results.allocations, results.peers)
        parts += ["## Allocations\n", "Of a program whose allocator counts them:\n"]
        parts += [matrix(results.allocations, columns)]
    if results.polls:
        columns = counts(results.polls, results.peers)
        parts += ["## Polls of a task with two loads\n", matrix(results.polls, columns)]
    return parts


def recorded_part(results: Results) -> list[str]:
    if not results.times:
        return []
    columns = {
        peer.name: [ratio(result, recorded, peer) for result in results.times]
        for peer in results.peers
        if (recorded := results.named(f"{peer.name} recorded"))
    }
    return [
        "## Recordings\n",
        "How many times as long a program takes while `asynq::explain` records it. Both are\n"
        "compiled with the feature `explain`:\n",
        matrix(results.times, columns),
    ]


def explanations(results: Results) -> list[str]:
    run = results.times + results.threads + results.memory
    return [
        "## What is run\n",
        "".join(f"- **{result.title}**: {result.about}\n" for result in run),
        "On what:\n",
        "".join(f"- **{peer.name}**: {peer.about}\n" for peer in results.peers),
    ]


def matrix(results: list[Result], columns: dict[str, list[str]]) -> str:
    """Returns one row per result."""
    rows = zip((result.title for result in results), *columns.values())
    return table(["", *columns], [list(row) for row in rows])


def counts(results: list[Result], peers: list[Peer]) -> dict[str, list[str]]:
    return {peer.name: [count(result, peer) for result in results] for peer in peers}


def ratio(result: Result, peer: Peer, to: Peer) -> str:
    return str(result.ratio(peer, to) or NOTHING)


def time(result: Result, peer: Peer) -> str:
    cost = result.cost(peer)
    return NOTHING if cost is None else duration(cost)


def megabytes(result: Result, peer: Peer) -> str:
    cost = result.cost(peer)
    return NOTHING if cost is None else f"{cost / 1e6:,.0f} MB"


def count(result: Result, peer: Peer) -> str:
    cost = result.cost(peer)
    return NOTHING if cost is None else f"{cost:,.2f}".rstrip("0").rstrip(".")


def instructions(result: Result, peer: Peer) -> str:
    cost = result.cost(peer)
    return NOTHING if cost is None else f"{cost:,.0f}"


def batches(result: Result, peer: Peer) -> str:
    """Returns the cell with the number of batches, which is empty for a peer without batches."""
    if peer.name not in result.costs or not result.most(peer):
        return NOTHING
    fewest, most = f"{result.fewest(peer):,.0f}", f"{result.most(peer):,.0f}"
    return fewest if fewest == most else f"{fewest} to {most}"


def ideal(result: Result) -> str:
    return f"{'at most ' if result.depends_on_order else ''}{result.ideal_batches:,}"


def label(peer: Peer, versions: dict[str, str]) -> str:
    return f"{peer.package} {versions[peer.package]}"
