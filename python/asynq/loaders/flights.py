"""Flushes in flight: the scheduler of a thread delivers what comes back to it.

Each thread has a queue of what has come back. Its scheduler's loop looks into it between steps, and
waits at it when nothing else can be done; a signal interrupts that, so that Ctrl-C works at once.
"""

import threading
import time
from queue import Empty, SimpleQueue

from .._asynq import set_flights


class _Thread(threading.local):
    def __init__(self):
        self.arrived = SimpleQueue()
        self.flights = {}  # A set, in the order in which they took off.

    def add(self, flight):
        self.flights[flight] = None
        set_flights(len(self.flights))

    def remove(self, flight):
        self.flights.pop(flight, None)
        set_flights(len(self.flights))

    def seconds_left(self):
        """Until the first deadline."""
        deadlines = [flight.deadline for flight in self.flights if flight.deadline is not None]
        return min(deadlines) - time.monotonic() if deadlines else None


_here = _Thread()


class Flight:
    """A batch that is in flight, seen from the thread that waits for it.

    There `arrived(future)` is called when its future is done, or else `late()` once it has taken
    more than so many `seconds`, or None for any number.
    """

    def __init__(self, arrived, late, seconds):
        self._arrived = arrived
        self._late = late
        self._seconds = seconds
        self._future = None
        self.deadline = None
        self._queue = _here.arrived
        self._has_landed = False
        _here.add(self)

    def begin(self, future=None):
        """The time runs from now on, in whatever thread. Without a future, somebody calls `end`."""
        self._future = future
        if self._seconds is not None:
            self.deadline = time.monotonic() + self._seconds
            self._queue.put(None)  # So that who waits already looks at the time.
        if future is not None:
            future.add_done_callback(lambda _: self._queue.put(self))

    def adopt(self):
        """This thread is the one that waits for it now."""
        if self._has_landed:
            return
        self._queue = _here.arrived
        _here.add(self)
        if self._future is not None and self._future.done():
            self._queue.put(self)

    def end(self):
        """Nobody waits for it any more."""
        self._has_landed = True
        _here.remove(self)

    def land(self):
        if not self._has_landed:
            self.end()
            self._arrived(self._future)

    def expire(self):
        if not self._has_landed:
            self.end()
            if self._future is not None:
                self._future.cancel()
            self._late()


def land(wait):
    """Delivers what has come back to this thread; with `wait`, waits until something has."""
    if wait and not _here.flights:
        raise RuntimeError("nothing is in flight that the scheduler could wait for")
    while _here.flights:
        left = _here.seconds_left()
        if left is not None and left <= 0:
            _expire()
            wait = False
            continue
        try:
            flight = _here.arrived.get(wait, left)
        except Empty:
            if not wait:
                return
            continue
        if flight is not None:
            flight.land()
            wait = False


def _expire():
    now = time.monotonic()
    for flight in list(_here.flights):
        if flight.deadline is not None and flight.deadline <= now:
            flight.expire()


def adopt(round):
    """Whoever awaits the round now does so in this thread."""
    for flight in round.flights:
        flight.adopt()
