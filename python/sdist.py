"""Builds the source distribution, which contains the crates that it needs and so builds offline.

maturin packs the package and the crates of the workspace. This script adds the crates of others
with `cargo vendor`, and the configuration by which cargo finds them. It leaves out the dependencies
of tests, because maturin leaves out the tests.

    python sdist.py MATURIN FOLDER
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent
DEVELOPMENT = re.compile(r"^\[dev-dependencies[^\n]*\n(?:(?!\[).*\n?)*", re.MULTILINE)

CONFIGURATION = """\
[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "vendor"
"""


def run(*command, **options):
    """Runs a command, whose output goes to standard error."""
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def vendor(source):
    """Adds the crates of others to the unpacked distribution in `source`."""
    for manifest in source.rglob("Cargo.toml"):
        manifest.write_text(DEVELOPMENT.sub("", manifest.read_text()))
    run("cargo", "vendor", "--quiet", "vendor", cwd=source)
    (source / ".cargo").mkdir()
    (source / ".cargo" / "config.toml").write_text(CONFIGURATION)


def without_owner(member):
    """Returns a member of the archive without the user of this machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main():
    maturin, folder = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        manifest = PROJECT / "Cargo.toml"
        run(maturin, "sdist", "--manifest-path", manifest, "--out", temporary)
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(temporary)
        source = Path(temporary) / archive.name[: -len(".tar.gz")]
        vendor(source)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(folder / archive.name, "w:gz") as packed:
            packed.add(source, source.name, filter=without_owner)
    print(folder / archive.name)


if __name__ == "__main__":
    main()
