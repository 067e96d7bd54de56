"""Runs programs, each from a seed and in a process of its own, and prints what was found."""

import argparse
import contextvars
import faulthandler
import functools
import gc
import json
import os
import signal
import sys
import tempfile
import threading
import time

import asynq

from .program import Program
from .surface import ATTRIBUTES

SECONDS = 60  # After which a program is thought to hang.


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", type=lambda text: set(map(int, text.split(","))))
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    covered = set()
    end = time.monotonic() + options.seconds
    for seed in range(options.seed, options.seed + options.programs):
        if time.monotonic() > end:
            break
        result = apart(seed, options.only, options.trace)
        covered.update(result["covered"])
        for text in result["found"]:
            say(f"found {seed} {text}")
    say(f"missed {len(ATTRIBUTES) - len(covered)}")


def say(text):
    print(text.encode(errors="backslashreplace").decode(), flush=True)


def apart(seed, only, traces):
    """Runs a program in a process of its own: it may crash, and what it breaks is broken there."""
    reads, writes = os.pipe()
    with tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if child == 0:
            os.dup2(stderr.fileno(), 2)
            os.write(writes, json.dumps(run(seed, only, traces)).encode())
            os._exit(0)
        os.close(writes)
        with open(reads, "rb") as answer:
            answer = answer.read()
        _, status = os.waitpid(child, 0)
        stderr.seek(0)
        written = stderr.read().decode(errors="replace")
    result = json.loads(answer) if answer else {"covered": [], "found": []}
    if status:
        code = os.waitstatus_to_exitcode(status)
        ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        result["found"].append(f"{ended} {written[:300]} … {written[-1500:]}")
    # Rust writes of each panic, also of those that are caught.
    lines = written.splitlines()
    panics = [place for place, line in enumerate(lines) if "panicked at" in line]
    result["found"] += [" ".join(lines[place : place + 2]) for place in panics]
    return result


def run(seed, only, traces):
    faulthandler.enable()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    trace = None
    if traces:
        stdout = os.dup(1)

        def trace(text):
            os.write(stdout, f"{text}\n".encode(errors="backslashreplace"))

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What programs write.
    options = asynq.debug.options
    before = {name: getattr(options, name) for name in dir(options) if name.isupper()}
    del before["DUMP_ALL"]
    # A recursion that Python ends has to end before the stack does, also in a build for debugging.
    sys.setrecursionlimit(400)
    program = Program(seed, only, trace)
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = threading.excepthook = functools.partial(_check, program)
    contextvars.copy_context().run(program.run)
    covered, found = program.covered, program.found
    for name, value in before.items():
        setattr(options, name, value)
    asynq.scheduler.reset()
    asynq.loaders.set_max_in_flight(None)
    del program
    sys.unraisablehook, threading.excepthook = hooks
    gc.collect()
    try:
        found += leftovers()
    except BaseException as error:
        found.append(f"the thread is not usable any more: {error!r}")
    return {"covered": sorted(covered), "found": found}


def _check(program, hook_args):
    program.check(hook_args.exc_value)


def leftovers():
    """Reports what differs from a new thread, in which a known program runs cleanly."""
    flushed = []

    @asynq.loader
    def double(keys):
        flushed.append(keys)
        return {key: 2 * key for key in keys}

    @asynq.asynq()
    def sum_of_doubles(keys):
        return sum((yield [double.asynq(key) for key in keys]))

    @asynq.asynq()
    def both():
        return (yield sum_of_doubles.asynq([1, 2]), sum_of_doubles.asynq([2, 3]))

    if asynq.get_active_task() is not None:
        yield f"there is an active task: {asynq.get_active_task()!r}"
    if asynq.is_asyncio_mode():
        yield "the thread is in asyncio mode"
    value = both()
    if value != (6, 10):
        yield f"a program comes to {value!r} and not to (6, 10)"
    if flushed != [[1, 2, 3]]:
        yield f"a program flushes {flushed!r} and not [[1, 2, 3]]"
    scheduler = asynq.get_scheduler()
    if scheduler._tasks or scheduler._batches:
        yield f"in the scheduler there are {scheduler._tasks!r}, {scheduler._batches!r}"


if __name__ == "__main__":
    time.sleep = lambda seconds: None  # Programs wait for nothing.
    main()
