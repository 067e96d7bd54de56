"""A virtual environment for each implementation, since two of them are imported under one name."""

from __future__ import annotations

import shutil
import sys

from peers import OURS, PEERS, Peer
from reporting.environment import REPOSITORY, install, tell, version

#: The version that the goals are for.
WANTED_PYTHON = "python3.11"


def default_python() -> str:
    """CPython 3.11 if there is one, else the interpreter that runs this."""
    found = shutil.which(WANTED_PYTHON)
    return found if found and version(found) is not None else sys.executable


def prepare(python: str, ours_python: str | None) -> dict[Peer, str]:
    """Makes what is missing, and builds ours: the interpreter of each peer."""
    interpreters = {}
    for peer in PEERS:
        if peer is OURS:
            if ours_python is not None:
                interpreters[peer] = ours_python
                continue
            tell(f"{peer.name}: is built, which takes minutes the first time")
            interpreters[peer] = install(peer.name, [str(REPOSITORY / peer.requirement)], python)
        else:
            # It is measured as it is published: built here, asynq would not be compiled.
            what = ["--only-binary", peer.package, peer.requirement]
            interpreters[peer] = install(peer.name, what, python)
    return interpreters
