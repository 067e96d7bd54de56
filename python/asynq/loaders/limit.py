"""Limits on the number of requests in flight."""

import threading
from collections import deque

from .._fork import reset_after_fork
from .._validation import check_count


class Limit:
    """A number of permits, which are given out in the order in which they were asked for."""

    def __init__(self, permits):
        self._permits = permits
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._free = self._permits
        self._waiting = deque()
        self._is_giving = False
        self._lock = threading.Lock()

    def acquire(self, begin):
        """Calls `begin()` once there is a permit: now, or in the thread that releases one."""
        with self._lock:
            self._waiting.append(begin)
        self._give()

    def release(self):
        """Gives a permit back, and calls the next `begin()` that waits for it."""
        with self._lock:
            self._free += 1
        self._give()

    def _give(self):
        # One call of `begin` at a time and no nested ones, because `begin` may release its permit.
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
    """The permits of one request: one permit of each of several limits."""

    def __init__(self, limits):
        # Always acquired in the same order, so that two requests cannot deadlock.
        self._limits = limits
        self._held = 0
        self._is_released = False
        self._lock = threading.Lock()

    def acquire(self, begin):
        """Calls `begin()` once all permits are held, unless `release` is called before."""
        if self._held == len(self._limits):
            begin()
        else:
            self._limits[self._held].acquire(lambda: self._add(begin))

    def _add(self, begin):
        with self._lock:
            limit = self._limits[self._held]
            is_released = self._is_released
            self._held += not is_released
        if is_released:
            limit.release()
        else:
            self.acquire(begin)

    def release(self):
        """Gives all held permits back, and stops acquiring. Further calls have no effect."""
        with self._lock:
            held, self._held, self._is_released = self._limits[: self._held], 0, True
        for limit in held:
            limit.release()


_global_limit = None


def set_max_in_flight(count):
    """Limits the requests in flight of all loaders together (at least 1; None: no limit).

    The limit applies to requests that are sent afterwards. Raises `TypeError` if `count` is not an
    int, and `ValueError` if it is less than 1.
    """
    global _global_limit
    if count is not None:
        check_count("max_in_flight", count)
    _global_limit = None if count is None else Limit(count)


def permits(loader_limit):
    """Returns the permits for one request of a loader with this limit, or None for no limit."""
    return Permits([limit for limit in (loader_limit, _global_limit) if limit is not None])
