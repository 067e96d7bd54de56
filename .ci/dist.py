"""Checks the Python packages in target/dist, which `make dist` has built.

Each wheel is small, and has its licences and the list of its crates. Each CPython on this machine
installs its manylinux wheel and runs a program. So does the source distribution, which is built
without a network from the crates in it.

    python dist.py MATURIN
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "target" / "dist"
BYTES = 3_000_000
#: Files that a wheel has beside the package, in its folder of metadata.
METADATA = [
    "licenses/LICENSE",
    "licenses/THIRD-PARTY-LICENSES.txt",
    "sboms/asynq-python.cyclonedx.json",
]
#: Prints the batches of three greetings.
PROGRAM = """
from asynq import asynq, loader

@loader()
def names(ids):
    print(ids)
    return [f"user {id}" for id in ids]

@asynq()
def greeting(id):
    return "Hello, " + (yield names.asynq(id))

@asynq()
def greetings():
    return (yield [greeting.asynq(id) for id in (1, 2, 3)])

print(greetings()[2])
"""
EXPECTED = "[1, 2, 3]\nHello, user 3\n"


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True, **options
    ).stdout


def contents(wheel):
    """Yields what is wrong with the files of a wheel."""
    size = wheel.stat().st_size
    if size > BYTES:
        yield f"has {size:,} bytes, more than {BYTES:,}"
    with zipfile.ZipFile(wheel) as archive:
        paths = archive.namelist()
    for path in METADATA:
        if not any(name.endswith(f".dist-info/{path}") for name in paths):
            yield f"has no {path}"


def installed(python, package, folder, *options, **environment):
    """Installs a package into a new environment. Yields what the program prints, if it is wrong."""
    run(python, "-m", "venv", folder)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    run(*pip, "--quiet", "--no-deps", *options, package, env={**os.environ, **environment})
    printed = run(folder / "bin" / "python", "-c", PROGRAM, cwd=folder)
    if printed != EXPECTED:
        yield f"prints {printed!r} with {python}"


def mistakes(maturin, temporary):
    """Yields the packages with what is wrong with them."""
    wheels = sorted(DIST.glob("*.whl"))
    for wheel in wheels:
        yield from ((wheel, line) for line in contents(wheel))
    interpreters = run(sys.executable, ROOT / "python" / "interpreters.py").split()
    tag = "import sys; print('cp%d%d' % sys.version_info[:2] + getattr(sys, 'abiflags', ''))"
    for python in interpreters:
        version = run(python, "-c", tag).strip()
        matching = [path for path in wheels if f"-{version}-manylinux" in path.name]
        if not matching:
            yield DIST, f"has no manylinux wheel for {python}"
        for wheel in matching:
            lines = installed(python, wheel, temporary / version)
            yield from ((wheel, line) for line in lines)
    (source,) = DIST.glob("*.tar.gz")
    offline = {
        "CARGO_HOME": str(temporary / "cargo"),
        "CARGO_NET_OFFLINE": "true",
        "MATURIN_PEP517_ARGS": "--profile demo --locked",
        "PATH": f"{maturin.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(next(maturin.parents[1].glob("lib/python*/site-packages"))),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
    }
    options = ["--no-index", "--no-build-isolation"]
    lines = installed(sys.executable, source, temporary / "source", *options, **offline)
    yield from ((source, line) for line in lines)


def main():
    with tempfile.TemporaryDirectory() as temporary:
        found = [
            f"{path.name} {line}"
            for path, line in mistakes(Path(sys.argv[1]).resolve(), Path(temporary))
        ]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
