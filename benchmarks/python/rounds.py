"""The measurement: workers take turns in short rounds, and only costs of one round are compared.

On a shared machine, two runs of one program differ by a tenth or more, because the clock of the
processor, the caches and the load of other programs change. They hardly change within a round. So
each round yields one ratio per peer, and the report shows the median and quartiles of these ratios.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Callable

from client import Client
from peers import OTHERS, OURS, PEERS, RECORDED, Peer
from reporting.spread import Spread
from workloads import WORKLOADS, Workload


@dataclass
class Result:
    """The costs of a workload per peer and round (ns or bytes per unit), and its batches."""

    workload: type[Workload]
    costs: dict[Peer, list[float]] = field(default_factory=dict)
    batches: dict[Peer, int] = field(default_factory=dict)

    def cost(self, peer: Peer) -> float | None:
        costs = self.costs.get(peer)
        return statistics.median(costs) if costs else None

    def ratio(self, peer: Peer) -> Spread | None:
        """Returns the time of the peer divided by ours, or our memory divided by the peer's."""
        if peer not in self.costs:
            return None
        ratios = [
            ours / other if self.workload.is_memory else other / ours
            for ours, other in zip(self.costs[OURS], self.costs[peer])
        ]
        return Spread.of(ratios)

    def recorded(self) -> Spread:
        """Returns our time in a recording divided by that without one."""
        pairs = zip(self.costs[RECORDED], self.costs[OURS])
        return Spread.of(recorded / ours for recorded, ours in pairs)

    def goal_ratio(self) -> Spread | None:
        """Returns the ratio to the peer that the goal is about."""
        [peer] = [peer for peer in OTHERS if peer.name == self.workload.goal_peer]
        return self.ratio(peer)

    def reached(self) -> bool | None:
        goal, ratio = self.workload.goal, self.goal_ratio()
        if goal is None or ratio is None:
            return None
        return ratio.median <= goal if self.workload.is_memory else ratio.median >= goal


Progress = Callable[[str, int, int], None]


def measure(
    load: str,
    interpreters: dict[Peer, str],
    rounds: int,
    seconds: float,
    progress: Progress,
    peers: Iterable[Peer] = PEERS,
) -> Result:
    if WORKLOADS[load].is_memory:
        return measure_memory(load, interpreters, rounds, progress)
    result = Result(WORKLOADS[load])
    with ExitStack() as stack:
        clients = []
        for peer in peers:
            progress(f"warming up {peer.name}", 0, rounds)
            client = stack.enter_context(closing(Client(peer, interpreters[peer])))
            answer = client.ask("prepare", load=load, seconds=seconds)
            if answer["applies"]:
                clients.append(client)
                result.batches[peer] = answer["batches"]
                result.costs[peer] = []
        for turn in range(rounds):
            progress("", turn, rounds)
            first = turn % len(clients)  # so that no worker always follows the same one
            for client in clients[first:] + clients[:first]:
                result.costs[client.peer].append(client.ask("round")["cost"])
    return result


def measure_memory(
    load: str, interpreters: dict[Peer, str], rounds: int, progress: Progress
) -> Result:
    """Measures memory, each round in new processes, because a process reuses freed memory."""
    result = Result(WORKLOADS[load])
    for turn in range(rounds):
        progress("", turn, rounds)
        for peer in PEERS:
            with closing(Client(peer, interpreters[peer])) as client:
                if not client.ask("prepare", load=load, seconds=0)["applies"]:
                    continue
                answer = client.ask("round")
                result.batches[peer] = answer["batches"]
                result.costs.setdefault(peer, []).append(answer["cost"])
    return result
