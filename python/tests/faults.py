"""Helpers for tests of faults: each load must end with a value or an error that names it."""

from __future__ import annotations

import pytest

import asynq
from asynq import LoadError


@asynq.asynq()
def _caught(future):
    try:
        return (yield future)
    except LoadError as error:
        return error


@asynq.asynq()
def each(*futures):
    """Returns the values of the futures, or the error of a future that has failed."""
    return (yield [_caught.asynq(future) for future in futures])


def assert_named(error, key=1, loader="name"):
    """Asserts that the error is a LoadError with the names of the loader and the key."""
    assert isinstance(error, LoadError)
    assert str(error).startswith(f"loader {loader}, key {key}: ")


def interrupt_while_waiting(future):
    """Interrupts a call that waits for the future."""

    @asynq.loader(priority=-1)
    def interrupts(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def main():
        yield future, interrupts.asynq(1)

    with pytest.raises(KeyboardInterrupt):
        main()


def cancel_in_flight(load):
    """Cancels the batch of the load after it has been sent."""
    load.batch.flush()
    load.batch.cancel()
    with pytest.raises(asynq.BatchCancelledError):
        load.value()
