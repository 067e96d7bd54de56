"""Counts the faults that the tests inject into stores, and the faults that stores survive.

Runs the fault tests of both languages and writes benchmarks/faults.md. A fault is survived if every
load or operation has ended with a value or an error that names it and its source, and the store
works afterwards. Needs the Python package with its extra `test`, which `make faults` installs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from reporting.environment import REPOSITORY, tell
from reporting.markdown import NOTHING, table

COMMAND = "make faults"
RUST = REPOSITORY / "crates" / "asynq" / "tests"
PYTHON = REPOSITORY / "python" / "tests"
STORES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "memcached": "memcached",
    "loader": "any: the batch function",
}

HEAD = """\
# Faults injected into real stores, and survived

Repeat with: `{command}`

Each fault is a test: it breaks the real server or file, or a batch function of each kind, and wants
that every load ends with a value or an error that names it and its source, that nothing hangs, and
that the store works afterwards.
"""

#: Name of the store, description of the fault, and whether the store survived it (None: not tried).
Fault = tuple[str, str, "bool | None"]


def main() -> int:
    faults = {"Rust": list(in_rust()), "Python": list(in_python())}
    text = report(faults)
    print(text)
    (REPOSITORY / "benchmarks" / "faults.md").write_text(text, encoding="utf-8")
    tell("written: benchmarks/faults.md")
    every = [survived for of_language in faults.values() for _, _, survived in of_language]
    return 0 if all(every) else 1


def in_rust() -> Iterator[Fault]:
    for path in sorted(RUST.glob("*_faults*.rs")):
        command = ["cargo", "test", "--locked", "-p", "asynq-batch", "--all-features"]
        command += ["--test", path.stem, "--", "--show-output"]
        tell(" ".join(command))
        out = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True).stdout
        skipped = set(re.findall(r"---- (\S+) stdout ----\nskipped: ", out))
        for name, outcome in re.findall(r"^test (\S+) \.\.\. (\w+)", out, re.MULTILINE):
            store, what = store_of(path.stem, name.replace("::", "_"))
            yield store, what, None if name in skipped else outcome == "ok"


def in_python() -> Iterator[Fault]:
    paths = sorted(PYTHON.glob("test_*_faults*.py"))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.xml")
        # Not in the folder python, where `import asynq` would import the sources.
        command = [sys.executable, "-m", "pytest", "-q", "-c", "python/pyproject.toml"]
        command += ["--rootdir", "python", f"--junitxml={results}", *map(str, paths)]
        tell(" ".join(command[:6]))
        subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        cases = ElementTree.parse(results).iter("testcase")
        for case in cases:
            name = case.attrib["name"].removeprefix("test_")
            store, what = store_of(case.attrib["classname"], name)
            outcomes = {child.tag for child in case}
            failed = outcomes & {"failure", "error"}
            yield store, what, None if "skipped" in outcomes else not failed


def store_of(module: str, name: str) -> tuple[str, str]:
    """Returns the store of a test: from the name of its file, or from its parameter."""
    for store, title in STORES.items():
        if store in module or store in name:
            what = re.sub(rf"\[{store}\]|_?{store}_?", " ", name).replace("_", " ").strip()
            return title, what
    raise ValueError(f"no store has to do with {module} {name}")


def report(faults: dict[str, list[Fault]]) -> str:
    rows = []
    for store in STORES.values():
        counts = [count(store, of_language) for of_language in faults.values()]
        rows.append([store, *counts])
    parts = [HEAD.format(command=COMMAND), table(["survived", *faults], rows)]
    for language, of_language in faults.items():
        parts.append(f"## {language}\n")
        by_store = defaultdict(list)
        for store, what, survived in of_language:
            mark = {None: " (not tried)", True: "", False: " (**not survived**)"}[survived]
            by_store[store].append(f"{what}{mark}")
        parts += [f"- **{store}**: {'; '.join(whats)}" for store, whats in by_store.items()]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def count(store: str, faults: list[Fault]) -> str:
    outcomes = [survived for one, _, survived in faults if one == store and survived is not None]
    return f"{sum(outcomes)} of {len(outcomes)}" if outcomes else NOTHING


if __name__ == "__main__":
    sys.exit(main())
