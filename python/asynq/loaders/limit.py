"""Limits on how many flushes are in flight at a time."""

import threading
from collections import deque

from .settings import check_count


class Limit:
    """So many permits, which go to those who wait in the order in which they came."""

    def __init__(self, permits):
        self._free = permits
        self._waiting = deque()
        self._lock = threading.Lock()

    def acquire(self, begin):
        """Calls `begin()` once there is a permit: now, or where one is given back."""
        with self._lock:
            if not self._free:
                self._waiting.append(begin)
                return
            self._free -= 1
        begin()

    def release(self):
        """Gives a permit back."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            begin = self._waiting.popleft()
        begin()


class Permits:
    """One of each of some limits."""

    def __init__(self, limits):
        # Always in the same order, so that no two wait for each other.
        self._limits = limits
        self._lock = threading.Lock()
        self._held = False

    def acquire(self, begin):
        """Calls `begin()` once all are there."""
        self._acquire(0, begin)

    def _acquire(self, place, begin):
        if place < len(self._limits):
            self._limits[place].acquire(lambda: self._acquire(place + 1, begin))
        else:
            self._held = True
            begin()

    def release(self):
        """Gives them back, if that was not done."""
        with self._lock:
            held, self._held = self._held, False
        if held:
            for limit in self._limits:
                limit.release()


_of_all = None


def set_max_in_flight(count):
    """Limits how many batches of all loaders together are in flight at a time; None: any number.

    It holds for the batches that are sent from now on.
    """
    global _of_all
    check_count("max_in_flight", count)
    _of_all = None if count is None else Limit(count)


def permits(own):
    """What a batch needs of a loader with this limit, or with none."""
    return Permits([limit for limit in (own, _of_all) if limit is not None])
