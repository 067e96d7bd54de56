"""What tests of faults have in common: each load ends, by a value or by an error that names it."""

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
    """The values of the futures, and the error in place of one that has failed."""
    return (yield [_caught.asynq(future) for future in futures])


def assert_named(error, key=1, loader="name"):
    """It is the error of a load, and says of which."""
    assert isinstance(error, LoadError)
    assert str(error).startswith(f"loader {loader}, key {key}: ")


def interrupt_while_waiting(future):
    """A call that waits for the future is interrupted."""

    @asynq.loader(priority=-1)
    def interrupts(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def main():
        yield future, interrupts.asynq(1)

    with pytest.raises(KeyboardInterrupt):
        main()


def cancel_in_flight(load):
    """The batch of the load is cancelled after it has been sent."""
    load.batch.flush()
    load.batch.cancel()
    with pytest.raises(asynq.BatchCancelledError):
        load.value()
