"""Calls of batch functions that the test holds, instead of a pool of threads."""

import contextlib

import pytest

import asynq
from asynq.loaders import Loader, request, running_function


class Calls:
    """Stands for the pool of threads: `finish(n)` is the end of the call with that number."""

    def submitted(self):
        pass

    def __init__(self):
        self._calls = []
        self._done = set()

    def __len__(self):
        return len(self._calls)

    def submit(self, job, *args):
        self.submitted()
        self._calls.append(job)

    def run(self, function, *args):
        return function(*args)

    def forget(self):
        self._calls.clear()

    def finish_all(self):
        for number in range(len(self._calls)):
            if number not in self._done:
                self.finish(number)

    def finish(self, number):
        self._done.add(number)
        self._calls[number]()


@contextlib.contextmanager
def held_calls(monkeypatch):
    """Replaces the pool of threads during the block."""
    calls = Calls()
    for module in (request, running_function):
        monkeypatch.setattr(module, "thread_pool", calls)
    yield calls
    calls.finish_all()
    # Takes notice of what has come back.
    Loader(list)(0)


def flushed(load):
    """The load, after its batch was sent."""
    load.batch.flush()
    return load


def interrupting(load):
    """A call that waits for the load, and is interrupted."""

    @asynq.loader(priority=-1)
    def interrupts(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def main():
        yield load, interrupts.asynq(1)

    with pytest.raises(KeyboardInterrupt):
        main()
