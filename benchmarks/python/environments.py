"""One virtual environment per implementation, because two of them have the same import name."""

from __future__ import annotations

import shutil
import sys

from peers import OURS, PEERS, Peer
from reporting.environment import REPOSITORY, install, tell, version

#: Python version of the goals.
WANTED_PYTHON = "python3.11"


def default_python() -> str:
    """Returns CPython 3.11 if it is installed, otherwise the running interpreter."""
    found = shutil.which(WANTED_PYTHON)
    return found if found and version(found) is not None else sys.executable


def prepare(python: str, ours_python: str | None) -> dict[Peer, str]:
    """Creates missing environments and builds ours. Returns the interpreter of each peer."""
    interpreters = {}
    for peer in PEERS:
        if peer is OURS:
            if ours_python is not None:
                interpreters[peer] = ours_python
                continue
            tell(f"{peer.name}: is built, which takes minutes the first time")
            interpreters[peer] = install(peer.name, [str(REPOSITORY / peer.requirement)], python)
        else:
            # The published wheel: asynq built from source would not be compiled.
            what = ["--only-binary", peer.package, peer.requirement]
            interpreters[peer] = install(peer.name, what, python)
    return interpreters
