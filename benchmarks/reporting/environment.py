"""Virtual environments in target/bench-venvs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = REPOSITORY / "target" / "bench-venvs"


class InstallError(Exception):
    """A package cannot be built or installed. The message has the output of the failed command."""


def version(python: str) -> str | None:
    """Returns the version of an interpreter, or None if it does not run (like a shim of pyenv)."""
    program = "import sys; print(*sys.version_info[:3], sep='.')"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def install(name: str, what: list[str], python: str) -> str:
    """Installs the requirements `what` into the environment of this name and interpreter.

    Returns its interpreter. A requirement that is a folder is always rebuilt.
    """
    environment = ENVIRONMENTS / f"{name}-{version(python)}"
    interpreter = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not interpreter.exists():
        tell(f"{name}: making its virtual environment")
        call([python, "-m", "venv", "--clear", str(environment)])
    tell(f"{name}: installing")
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call(pip + what)
    return str(interpreter)


def draw(results: dict[str, Any], picture: Path, python: str) -> None:
    """Draws the results with `picture.py`, in an environment with matplotlib."""
    interpreter = install("picture", ["matplotlib"], python)
    data = ENVIRONMENTS / f"{picture.stem}.json"
    data.write_text(json.dumps(results, indent=1))
    call([interpreter, str(Path(__file__).with_name("picture.py")), str(data), str(picture)])


def call(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)}\n{done.stdout}")


def tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
