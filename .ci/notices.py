"""Prints the licences of the crates of others that the wheels contain in compiled form.

Texts of the Apache License 2.0 are left out, because each wheel contains that text as the licence
of asynq itself.
"""

import json
import subprocess
import sys
from pathlib import Path

NAMES = ("license", "licence", "copying", "copyright", "notice", "unlicense")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def packages():
    """Returns the names and versions of the crates in a wheel for any platform."""
    tree = ["-p", "asynq-python", "-e", "normal,no-proc-macro", "--target", "all"]
    lines = run("cargo", "tree", "--locked", *tree, "--prefix", "none", "--format", "{p}")
    return {tuple(line.replace(" v", " ").split()[:2]) for line in lines.splitlines()}


def main():
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1"))
    wanted = packages()
    found = {
        (package["name"], package["version"]): package
        for package in metadata["packages"]
        if (package["name"], package["version"]) in wanted and package["source"]
    }
    print("Wheels of asynq-rs contain compiled code of these crates, and of the standard library")
    print("of Rust, which is under the Apache License 2.0 or the MIT licence.")
    for (name, version), package in sorted(found.items()):
        folder = Path(package["manifest_path"]).parent
        texts = sorted(path for path in folder.iterdir() if path.name.lower().startswith(NAMES))
        if not texts:
            print(f"{name} {version} has no text of its licence", file=sys.stderr)
            return 1
        print(f"\n{'=' * 80}\n{name} {version} ({package['license']})")
        for path in texts:
            if "apache" not in path.name.lower():
                print(f"\n{path.read_text().strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
