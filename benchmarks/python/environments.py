"""A virtual environment for each implementation, since two of them are imported under one name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from peers import OURS, PEERS, Peer

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = REPOSITORY / "target" / "bench-venvs"

#: The version that the goals are for.
WANTED_PYTHON = "python3.11"


class InstallError(Exception):
    """An environment cannot be made; the message has the output of what failed."""


def default_python() -> str:
    """CPython 3.11 if there is one, else the interpreter that runs this."""
    found = shutil.which(WANTED_PYTHON)
    return found if found and version(found) is not None else sys.executable


def version(python: str) -> str | None:
    """Of the interpreter at this path; None if it does not run (pyenv has such stand-ins)."""
    program = "import sys; print(*sys.version_info[:3], sep='.')"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


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


def for_pictures(python: str) -> str:
    """The interpreter of an environment with matplotlib."""
    return install("picture", ["matplotlib"], python)


def install(name: str, what: list[str], python: str) -> str:
    """Brings the environment of this name up to date: its interpreter. A folder is built anew."""
    environment = ENVIRONMENTS / name
    interpreter = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not interpreter.exists() or version(str(interpreter)) != version(python):
        tell(f"{name}: making its virtual environment")
        call([python, "-m", "venv", "--clear", str(environment)])
    tell(f"{name}: installing")
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call(pip + what)
    return str(interpreter)


def call(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)}\n{done.stdout}")


def tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
