"""Who is measured: ours, and those who do the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    #: Of its virtual environment, and its heading in the table.
    name: str
    #: What its worker runs: programs on asynq, or on one of the DataLoaders.
    kind: str
    #: Its name on PyPI, and what pip is told.
    package: str
    requirement: str
    #: A module of it, which has to be compiled if that is how it is published.
    module: str
    compiled: bool = False


OURS = Peer(
    name="asynq-rs",
    kind="asynq",
    package="asynq-rs",
    requirement="python",  # the folder in the repository
    module="asynq._asynq",
    compiled=True,
)

# The version whose names, signatures and behaviour ours has.
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

OTHERS = (REFERENCE, AIODATALOADER, STRAWBERRY)
PEERS = (OURS, *OTHERS)
