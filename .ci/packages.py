"""Checks the Rust packages that `cargo package` has written to target/package.

A package holds its licence, its README and its sources. No file of it refers to a file outside of
the package. Its manifest has what a registry shows, and documents all features.
"""

import re
import sys
import tarfile
from pathlib import Path, PurePosixPath

FOLDER = Path(__file__).parents[1] / "target" / "package"

REQUIRED = {"Cargo.toml", "LICENSE", "README.md"}
ALLOWED = REQUIRED | {".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml.orig", "recording.md"}
#: Lines of the manifest.
MEMBERS = [
    "description =",
    "documentation =",
    "readme =",
    "license =",
    "keywords =",
    "categories =",
    "all-features = true",
]
#: Paths in macros, in attributes of modules, and in links of Markdown, also of documentation.
PATHS = re.compile(
    r"""
    include(?:_str|_bytes)?!\(\s*"([^"]+)" |
    \bpath\s*=\s*"([^"]+)" |
    \]\((\.\.?/[^)\s#]+|\w+\.md)
    """,
    re.VERBOSE,
)
#: Registries accept ten times as much.
BYTES = 1_000_000


def read(archive):
    """Returns the text of each file of a package, by its path."""
    with tarfile.open(archive) as package:
        return {
            member.name.partition("/")[2]: package.extractfile(member).read().decode()
            for member in package
        }


def resolve(path, reference):
    """Returns the path that a file refers to. It starts with `..` if that is outside."""
    parts = []
    for part in (PurePosixPath(path).parent / reference).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def mistakes(archive):
    """Yields what is wrong with a package."""
    files = read(archive)
    for path in sorted(REQUIRED - files.keys()):
        yield f"{path} is missing"
    for path in sorted(files.keys() - ALLOWED):
        if not path.startswith("src/"):
            yield f"{path} does not belong into a package"
    manifest = files.get("Cargo.toml", "")
    for member in MEMBERS:
        if f"\n{member}" not in manifest:
            yield f"Cargo.toml has no line `{member}`"
    for path, text in files.items():
        if not path.endswith((".rs", ".md")):
            continue
        for match in PATHS.finditer(text):
            target = resolve(path, next(filter(None, match.groups())))
            if target not in files:
                yield f"{path} refers to {target}, which is not in the package"
    if archive.stat().st_size > BYTES:
        yield f"it has more than {BYTES:,} bytes"


def main():
    archives = sorted(FOLDER.glob("*.crate"))
    found = [f"{archive.name}: {line}" for archive in archives for line in mistakes(archive)]
    for line in found:
        print(line, file=sys.stderr)
    if not archives:
        print("There are no packages: run `make packages`.", file=sys.stderr)
    return 1 if found or not archives else 0


if __name__ == "__main__":
    sys.exit(main())
