"""Limits on how many flushes are in flight at a time."""

import threading
from collections import deque

from .._fork import begin_anew_after_fork
from .settings import check_count


class Limit:
    """So many permits, which go to those who wait in the order in which they came."""

    def __init__(self, permits):
        self._permits = permits
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self):
        """Nobody has a permit, or waits for one."""
        self._free = self._permits
        self._waiting = deque()
        self._is_giving = False
        self._lock = threading.Lock()

    def acquire(self, begin):
        """Calls `begin()` once there is a permit: now, or where one is given back."""
        with self._lock:
            self._waiting.append(begin)
        self._give()

    def release(self):
        """Gives a permit back."""
        with self._lock:
            self._free += 1
        self._give()

    def _give(self):
        # One at a time, and not inside each other: what begins may end at once.
        while True:
            with self._lock:
                if self._is_giving or not (self._free and self._waiting):
                    return
                self._is_giving = True
                self._free -= 1
                begin = self._waiting.popleft()
            try:
                begin()
            finally:
                self._is_giving = False


class Permits:
    """One of each of some limits."""

    def __init__(self, limits):
        # Always in the same order, so that no two wait for each other.
        self._limits = limits
        self._held = 0
        self._is_over = False
        self._lock = threading.Lock()

    def acquire(self, begin):
        """Calls `begin()` once all are there, unless they have been given back before."""
        if self._held == len(self._limits):
            begin()
        else:
            self._limits[self._held].acquire(lambda: self._got(begin))

    def _got(self, begin):
        with self._lock:
            limit = self._limits[self._held]
            is_over = self._is_over
            self._held += not is_over
        if is_over:
            limit.release()
        else:
            self.acquire(begin)

    def release(self):
        """Gives them back, if that was not done, and asks for no more."""
        with self._lock:
            held, self._held, self._is_over = self._limits[: self._held], 0, True
        for limit in held:
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
