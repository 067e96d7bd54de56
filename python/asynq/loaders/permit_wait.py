"""Waits of synchronous calls for permits."""

import functools

from .._asynq import BatchItemBase, Flight, RoundBase, Rounds
from ..decorators import asynq

__traceback_hide__ = True


class _PermitWait(RoundBase):
    """A batch whose only item is resolved when the flight has an answer, or after `timeout`.

    `start(self, flight)` asks for the permits.
    """

    __slots__ = ("_flight", "_rounds", "_start")

    def __init__(self, start, timeout=None):
        self._start = start
        self._flight = Flight(self, timeout)
        self._rounds = Rounds()

    def _try_switch_active_batch(self):
        pass

    def _flush(self):
        self._start(self, self._flight)
        self._rounds.start_flight(self, {self._flight})

    # The scheduler calls one of these, again if a signal handler has raised in it.

    def deliver(self, _):
        self._resolve(lambda item: item.set_value(None))

    def fail(self, error):
        self._resolve(lambda item: item.set_error(error))

    def expire(self):
        self.deliver(None)

    def _resolve(self, resolve):
        for item in list(self.items):
            if not item.is_computed():
                resolve(item)
        self._rounds.complete_flight(self)
        self._flight.finish()

    def __str__(self):
        return "permits of a loader"


@asynq()
def acquire(permits, timeout=None):
    """Waits until the permits are acquired. Returns False if that takes longer than `timeout`.

    Meanwhile the scheduler handles the answers to other requests.
    """

    def start(wait, flight):
        wait.launch(flight, permits, functools.partial(flight.set_answer, None))

    yield BatchItemBase(_PermitWait(start, timeout))
    return not permits.is_waiting


@asynq()
def take_back(function):
    """Ends a wait of a `RunningFunction`: waits until it can go on."""

    def start(wait, flight):
        wait.watch(flight)
        begin = functools.partial(flight.set_answer, None)
        if function.take_back(begin):
            begin()

    yield BatchItemBase(_PermitWait(start))
