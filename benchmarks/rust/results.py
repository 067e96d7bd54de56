"""What the programs in Rust have measured: lines of JSON, as `src/record.rs` writes them."""

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
    #: Of those that are a crate.
    package: str | None
    role: str  # "ours", "form" (ours by other means), "library" or "bound"
    about: str


@dataclass(frozen=True)
class Result:
    title: str
    about: str
    #: What the costs are for: one of these.
    unit: str
    ideal_batches: int
    #: Whether fewer batches are possible.
    depends_on_order: bool
    #: Of each peer, by its name, round by round.
    costs: dict[str, list[float]]
    #: In a run, on average of a round.
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
        """How many times as much `peer` costs as `to`, in the same round."""
        if peer.name not in self.costs or to.name not in self.costs:
            return None
        pairs = zip(self.costs[peer.name], self.costs[to.name])
        return Spread.of(cost / other for cost, other in pairs)

    def fewest(self, peer: Peer) -> float:
        return min(self.batches[peer.name])

    def most(self, peer: Peer) -> float:
        return max(self.batches[peer.name])

    def is_ideal(self, peer: Peer) -> bool:
        """Whether the peer made as few batches as there can be, in each round."""
        few_enough = self.most(peer) <= self.ideal_batches
        return few_enough and (self.depends_on_order or self.fewest(peer) == self.ideal_batches)


@dataclass
class Results:
    peers: list[Peer] = field(default_factory=list)
    times: list[Result] = field(default_factory=list)
    #: On two threads.
    threads: list[Result] = field(default_factory=list)
    memory: list[Result] = field(default_factory=list)
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
