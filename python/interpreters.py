"""Prints the CPythons on this machine that the package supports, one a line, the oldest first.

The script searches the PATH and all versions of pyenv. For each version, it prints the first
interpreter that can create virtual environments (Debian needs the package python3-venv for that). A
free-threaded build counts as a separate version. `--free-threaded` prints only those, `--gil` only
the others.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 9)
# PyO3 does not know how to build for older ones.
OLDEST_FREE_THREADED = (3, 14)
NAME = re.compile(r"python3\.\d+t?")

PROBE = """
import ensurepip, json, platform, sys, sysconfig, venv
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(json.dumps([platform.python_implementation(), sys.version_info[:2], free_threaded]))
"""


def candidates():
    """Yields the paths of all files that are named like an interpreter."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/*/bin"))
    for folder in folders:
        yield from (path for path in sorted(folder.glob("python3.*")) if NAME.fullmatch(path.name))


def probe(path):
    """Returns the implementation, version and free-threading of an interpreter.

    Returns None if it does not run, like the shim of an inactive pyenv version.
    """
    try:
        done = subprocess.run(
            [path, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        implementation, version, free_threaded = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return implementation, tuple(version), free_threaded


def is_supported(implementation, version, free_threaded):
    oldest = OLDEST_FREE_THREADED if free_threaded else OLDEST
    return implementation == "CPython" and version >= oldest


def main():
    found = {}
    for path in candidates():
        what = probe(path)
        if what and is_supported(*what):
            found.setdefault(what[1:], path)
    if sys.argv[1:]:
        is_wanted = {"--gil": False, "--free-threaded": True}[sys.argv[1]]
        found = {what: path for what, path in found.items() if what[1] is is_wanted}
    for version in sorted(found):
        print(found[version])
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
