"""One virtual environment per implementation, because two of them have the same import name."""

from __future__ import annotations

import subprocess
import sys

from peers import OURS, PEERS, Peer
from reporting.environment import REPOSITORY, install, tell, version

#: Python versions of the goals. The results of the first are `python.md`.
WANTED = ("3.11", "3.13")


def default_pythons() -> list[str]:
    """Returns the interpreters of the wanted versions, or the running one if none is installed."""
    listed = [sys.executable, str(REPOSITORY / "python" / "interpreters.py")]
    found = subprocess.run(listed, stdout=subprocess.PIPE, text=True).stdout.split()
    minors = {minor(python): python for python in found}
    return [minors[wanted] for wanted in WANTED if wanted in minors] or [sys.executable]


def minor(python: str) -> str:
    """Returns the version of an interpreter without its last part: `3.11`."""
    return (version(python) or "").rpartition(".")[0]


def report_name(python: str) -> str:
    """Returns the name of the results of an interpreter, without a suffix."""
    return "python" if minor(python) == WANTED[0] else f"python-{minor(python)}"


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
