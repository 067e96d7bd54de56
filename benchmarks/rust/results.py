"""Results of the Rust programs, read from the lines of JSON that `src/record.rs` writes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reporting.spread import Spread


@dataclass(frozen=True)
class Peer:
    name: str
    #: Name of the crate, or None if the peer is not a crate.
    package: str | None
    role: str  # "ours", "form" (another API of ours), "library" or "bound"
    about: str


@dataclass(frozen=True)
class Result:
    title: str
    about: str
    #: Unit of the costs.
    unit: str
    ideal_batches: int
    #: True if the number of batches depends on the order of work, so fewer are possible.
    depends_on_order: bool
    #: Costs by name of the peer, one per round.
    costs: dict[str, list[float]]
    #: Batches of a run by name of the peer, averaged per round.
    batches: dict[str, list[float]]

    @classmethod
    def parse(cls, record: dict[str, Any]) -> Result:
        costs = {peer["peer"]: peer["of_rounds"] for peer in record["peers"]}
        batches = {peer["peer"]: peer["batches"] for peer in record["peers"]}
        names = ("title", "about", "unit", "ideal_batches", "depends_on_order")
        return cls(costs=costs, batches=batches, **{name: record[name] for name in names})

    @property
    def rounds(self) -> int:
        return len(next(iter(self.costs.values())))

    def cost(self, peer: Peer) -> float | None:
        return statistics.median(self.costs[peer.name]) if peer.name in self.costs else None

    def ratio(self, peer: Peer, to: Peer) -> Spread | None:
        """Returns the ratio of the costs of `peer` to those of `to`, per round."""
        if peer.name not in self.costs or to.name not in self.costs:
            return None
        pairs = zip(self.costs[peer.name], self.costs[to.name])
        return Spread.of(cost / other for cost, other in pairs)

    def fewest(self, peer: Peer) -> float:
        return min(self.batches[peer.name])

    def most(self, peer: Peer) -> float:
        return max(self.batches[peer.name])

    def is_ideal(self, peer: Peer) -> bool:
        """Returns whether the peer made the minimum number of batches in each round."""
        few_enough = self.most(peer) <= self.ideal_batches
        return few_enough and (self.depends_on_order or self.fewest(peer) == self.ideal_batches)


@dataclass
class Results:
    peers: list[Peer] = field(default_factory=list)
    times: list[Result] = field(default_factory=list)
    #: Results on two threads.
    threads: list[Result] = field(default_factory=list)
    memory: list[Result] = field(default_factory=list)
    #: Instructions by callgrind; empty without valgrind.
    instructions: list[Result] = field(default_factory=list)
    allocations: list[Result] = field(default_factory=list)
    polls: list[Result] = field(default_factory=list)

    def read(self, lines: Iterable[str]) -> None:
        of_kind = {
            "time": self.times,
            "threads": self.threads,
            "memory": self.memory,
            "allocations": self.allocations,
            "polls": self.polls,
        }
        for line in lines:
            record = json.loads(line)
            kind = record.pop("kind")
            if kind == "peer":
                self.peers.append(Peer(**record))
            else:
                of_kind[kind].append(Result.parse(record))

    @property
    def ours(self) -> Peer | None:
        return next((peer for peer in self.peers if peer.role == "ours"), None)

    @property
    def forms(self) -> list[Peer]:
        return [peer for peer in self.peers if peer.role == "form"]

    @property
    def libraries(self) -> list[Peer]:
        return [peer for peer in self.peers if peer.role == "library"]

    @property
    def bounds(self) -> list[Peer]:
        return [peer for peer in self.peers if peer.role == "bound"]

    def named(self, name: str) -> Peer | None:
        return next((peer for peer in self.peers if peer.name == name), None)
