"""Virtual environments, in target/bench-venvs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = REPOSITORY / "target" / "bench-venvs"


class InstallError(Exception):
    """Something cannot be built or installed; the message has the output of what failed."""


def version(python: str) -> str | None:
    """Of the interpreter at this path; None if it does not run (pyenv has such stand-ins)."""
    program = "import sys; print(*sys.version_info[:3], sep='.')"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


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


def draw(results: dict[str, Any], picture: Path, python: str) -> None:
    """Has `picture.py` draw them, where matplotlib is."""
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
