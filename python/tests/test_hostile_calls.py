"""Whatever is called, on whatever object, in whatever state: it ends in exceptions of Python.

Programs of random calls, see hostile/, run in processes of their own, so that one that crashes is
shortened and shown. `ASYNQ_HOSTILE_SECONDS=600` runs others for that long.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = 300
SECONDS = float(os.environ.get("ASYNQ_HOSTILE_SECONDS", 0))
SHOWN = 3  # So many of those that fail are shortened, which takes a while.

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def hostile(*options):
    """Returns the output of the programs, line by line."""
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "hostile", *options]
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def found(lines):
    """Returns the first finding of each program that failed, by its seed."""
    found = (line.split(" ", 2)[1:] for line in reversed(lines) if line.startswith("found"))
    return {int(seed): text for seed, text in found}


def fails(seed, numbers):
    return bool(found(hostile(f"--seed={seed}", f"--only={','.join(map(str, numbers))}")))


def shortened(seed):
    """The program without what it takes not to fail, and how it fails then."""
    numbers = list(range(40))
    if not fails(seed, numbers):
        return "not the next time"
    size = 16
    while size:
        for start in range(0, len(numbers), size):
            fewer = numbers[:start] + numbers[start + size :]
            if fewer and fails(seed, fewer):
                numbers = fewer
                break
        else:
            size //= 2
    options = [f"--seed={seed}", f"--only={','.join(map(str, numbers))}", "--trace"]
    return "\n".join([f"python -X dev -m hostile {' '.join(options)}", *hostile(*options)])


def report(failed):
    texts = [f"{seed}: {text}\n{shortened(seed)}" for seed, text in list(failed.items())[:SHOWN]]
    return "\n\n".join([f"{len(failed)} programs have failed", *texts])


def test_each_attribute_of_each_class_is_touched_in_programs_that_end_in_exceptions():
    lines = hostile(f"--programs={PROGRAMS}")
    failed = found(lines)
    assert not failed, report(failed)
    assert lines[-1] == "missed 0"


def test_programs_of_other_seeds_end_in_exceptions_too():
    first = random.randrange(1_000_000, 1_000_000_000) if SECONDS else 1_000_000
    programs = 10**9 if SECONDS else 100
    failed = found(
        hostile(f"--seed={first}", f"--programs={programs}", f"--seconds={SECONDS or 999}")
    )
    assert not failed, report(failed)
