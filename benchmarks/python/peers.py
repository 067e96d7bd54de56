"""The measured implementations: ours and its peers."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Peer:
    #: Name of its virtual environment, and heading in the table.
    name: str
    #: Kind of programs that its worker runs: on asynq, or on a DataLoader.
    kind: str
    #: Name on PyPI, and requirement for pip.
    package: str
    requirement: str
    #: One of its modules. It must be compiled if `compiled` is true.
    module: str
    compiled: bool = False


OURS = Peer(
    name="asynq-rs",
    kind="asynq",
    package="asynq-rs",
    requirement="python",  # folder of the repository
    module="asynq._asynq",
    compiled=True,
)

# The reference version, whose names, signatures and behaviour ours has.
REFERENCE = Peer(
    name="asynq",
    kind="asynq",
    package="asynq",
    requirement="asynq==1.6.0",
    module="asynq.async_task",
    compiled=True,
)

AIODATALOADER = Peer(
    name="aiodataloader",
    kind="aiodataloader",
    package="aiodataloader",
    requirement="aiodataloader",
    module="aiodataloader",
)

STRAWBERRY = Peer(
    name="strawberry-graphql",
    kind="strawberry",
    package="strawberry-graphql",
    requirement="strawberry-graphql",
    module="strawberry.dataloader",
)

#: Ours in a recording of `asynq.explain()` that goes on.
RECORDED = replace(OURS, name=f"{OURS.name}, recorded", kind="recorded")

OTHERS = (REFERENCE, AIODATALOADER, STRAWBERRY)
PEERS = (OURS, *OTHERS)
