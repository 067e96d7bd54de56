"""Flushes in flight: the scheduler of a thread delivers what comes back to it.

Each thread has a queue of news of them. Its scheduler's loop looks into it between steps, and waits
at it when nothing else can be done; a signal interrupts that, so that Ctrl-C works at once.
"""

import heapq
import itertools
import threading
import time
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from .._asynq import set_flight_count
from .._fork import begin_anew_after_fork


class _Thread(threading.local):
    def __init__(self):
        self.flights = set()
        self._clear()

    def _clear(self):
        self.news = SimpleQueue()  # Flights that have begun, or are back.
        self._deadlines = []  # A heap.

    def begin_anew(self):
        self._clear()
        for flight in list(self.flights):
            flight.lose()

    def add(self, flight):
        self.flights.add(flight)
        set_flight_count(len(self.flights))

    def remove(self, flight):
        self.flights.discard(flight)
        set_flight_count(len(self.flights))

    def watch(self, flight):
        heapq.heappush(self._deadlines, (flight.deadline, next(_numbers), flight))

    def first_to_expire(self):
        while self._deadlines:
            flight = self._deadlines[0][-1]
            if flight.is_awaited_here():
                return flight
            heapq.heappop(self._deadlines)
        return None


_numbers = itertools.count()  # No two flights are compared.
_here = _Thread()
begin_anew_after_fork(_here)


class Flight:
    """A batch that is in flight, seen from the thread that waits for it.

    There `arrived(future)` is called when its future is done, or else `late()` once it has taken
    more than so many `seconds`, or None for any number. Both end the flight.
    """

    def __init__(self, arrived, late, seconds):
        self._arrived = arrived
        self._late = late
        self._seconds = seconds
        self._future = None
        self._has_completed = False
        self.deadline = None
        self._join()

    def _join(self):
        self._news = _here.news
        _here.add(self)

    def is_awaited_here(self):
        return not self._has_completed and self._news is _here.news

    def begin(self, future=None):
        """The time runs from now on, in whatever thread. Without a future, somebody calls `end`."""
        self._future = future
        if self._seconds is not None:
            self.deadline = time.monotonic() + self._seconds
            self._news.put(self)
        if future is not None:
            future.add_done_callback(lambda _: self._news.put(self))

    def adopt(self):
        """This thread is the one that waits for it now."""
        if self._has_completed:
            return
        before = self._news
        self._join()
        before.put(self)
        self._news.put(self)

    def end(self):
        """Nobody waits for it any more."""
        self._has_completed = True
        self._arrived = self._late = None
        _here.remove(self)

    def hear(self):
        """There is news of it. Returns whether that was its end."""
        if not self.is_awaited_here():
            _here.remove(self)  # Another thread may have adopted it.
            return False
        if self._future is None or not self._future.done():
            if self.deadline is not None:
                _here.watch(self)
            return False
        try:
            self._arrived(self._future)
        finally:
            if not self._has_completed:
                self._news.put(self)  # An interrupt: who waits for it next gets the rest.
        return True

    def expire(self):
        late, future = self._late, self._future
        if future is not None:
            future.cancel()
        late()

    def lose(self):
        """The process was forked: what was in flight comes back to the other one."""
        self._future = Future()
        self._future.set_exception(RuntimeError("the process was forked while it was in flight"))
        self._join()
        self._news.put(self)


def complete(wait):
    """Delivers what has come back to this thread; with `wait`, waits until something has."""
    if wait and not _here.flights:
        raise RuntimeError("nothing is in flight that the scheduler could wait for")
    while _here.flights:
        left = None
        first = _here.first_to_expire()
        if first is not None:
            left = first.deadline - time.monotonic()
            if left <= 0:
                first.expire()
                wait = False
                continue
        try:
            flight = _here.news.get(wait, left)
        except Empty:
            if not wait:
                return
            continue
        if flight.hear():
            wait = False


def adopt(round):
    """Whoever awaits the round now does so in this thread."""
    for flight in round.flights:
        flight.adopt()
