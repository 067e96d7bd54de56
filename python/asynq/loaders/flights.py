"""Flights: requests whose answers arrive later, and the thread that waits for them.

Each thread has a queue of updates. A flight puts itself into the queue of the thread that waits for
it when its request has started, and when the answer has arrived. The scheduler reads the queue
between two steps, and waits at it when nothing else can run. A signal interrupts that wait, so
Ctrl-C takes effect immediately.
"""

import heapq
import itertools
import threading
import time
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from .._asynq import set_flight_count
from .._fork import reset_after_fork


class _FlightsOfThread(threading.local):
    """The flights that the current thread waits for, and their updates."""

    def __init__(self):
        self.flights = set()
        self._clear()

    def _clear(self):
        self.updates = SimpleQueue()  # Flights that have started, or whose answer has arrived.
        self._deadlines = []  # A heap of (deadline, serial number, flight).

    def _reset(self):
        self._clear()
        for flight in list(self.flights):
            flight.fail_after_fork()

    def add(self, flight):
        self.flights.add(flight)
        set_flight_count(len(self.flights))

    def remove(self, flight):
        self.flights.discard(flight)
        set_flight_count(len(self.flights))

    def add_deadline(self, flight):
        heapq.heappush(self._deadlines, (flight.deadline, next(_serial_numbers), flight))

    def next_to_expire(self):
        while self._deadlines:
            flight = self._deadlines[0][-1]
            if flight.is_awaited_here():
                return flight
            heapq.heappop(self._deadlines)
        return None


_serial_numbers = itertools.count()  # They keep the heap from comparing flights.
_this_thread = _FlightsOfThread()
reset_after_fork(_this_thread)


class Flight:
    """A request in flight, as seen by the thread that waits for its answer.

    That thread calls `on_answer(future)` when the future of the request is done, or `on_timeout()`
    if the answer takes longer than `timeout` seconds (None: no limit). Both must call `finish`.
    """

    def __init__(self, on_answer, on_timeout, timeout):
        self._on_answer = on_answer
        self._on_timeout = on_timeout
        self._timeout = timeout
        self._future = None
        self._has_finished = False
        self.deadline = None
        self._wait_here()

    def _wait_here(self):
        self._updates = _this_thread.updates
        _this_thread.add(self)

    def is_awaited_here(self):
        """Returns whether the flight is unfinished and the current thread waits for it."""
        return not self._has_finished and self._updates is _this_thread.updates

    def start(self, future=None):
        """Starts the timeout, in any thread.

        `future` is the `concurrent.futures.Future` of the answer. Without one, the request must
        call `finish` when it has its answer.
        """
        self._future = future
        if self._timeout is not None:
            self.deadline = time.monotonic() + self._timeout
            self._updates.put(self)
        if future is not None:
            future.add_done_callback(lambda _: self._updates.put(self))

    def move_to_this_thread(self):
        """Makes the current thread the one that waits for the flight."""
        if self._has_finished:
            return
        before = self._updates
        self._wait_here()
        before.put(self)
        self._updates.put(self)

    def finish(self):
        """Ends the flight, so that no thread waits for it any more."""
        self._has_finished = True
        self._on_answer = self._on_timeout = None
        _this_thread.remove(self)

    def handle_update(self):
        """Handles an update of the flight. Returns whether its answer has arrived."""
        if not self.is_awaited_here():
            _this_thread.remove(self)  # It may have moved to another thread.
            return False
        if self._future is None or not self._future.done():
            if self.deadline is not None:
                _this_thread.add_deadline(self)
            return False
        try:
            self._on_answer(self._future)
        finally:
            if not self._has_finished:
                self._updates.put(self)  # Interrupted: the next wait delivers the rest.
        return True

    def expire(self):
        """Cancels the request, whose deadline has passed."""
        on_timeout, future = self._on_timeout, self._future
        if future is not None:
            future.cancel()
        on_timeout()

    def fail_after_fork(self):
        """Fails the flight in a forked process, since only the parent gets the answer."""
        self._future = Future()
        self._future.set_exception(RuntimeError("the process was forked while it was in flight"))
        self._wait_here()
        self._updates.put(self)


def complete(wait):
    """Delivers the answers that have arrived for this thread.

    With `wait`, blocks until at least one flight has an answer or has expired. Raises
    `RuntimeError` if there is no flight to wait for.
    """
    if wait and not _this_thread.flights:
        raise RuntimeError("the scheduler cannot wait: no request of this thread is in flight")
    while _this_thread.flights:
        left = None
        first = _this_thread.next_to_expire()
        if first is not None:
            left = first.deadline - time.monotonic()
            if left <= 0:
                first.expire()
                wait = False
                continue
        try:
            flight = _this_thread.updates.get(wait, left)
        except Empty:
            if not wait:
                return
            continue
        if flight.handle_update():
            wait = False


def move_to_this_thread(batch):
    """Makes the current thread the one that waits for all flights of a `LoaderBatch`."""
    for flight in batch.flights:
        flight.move_to_this_thread()
