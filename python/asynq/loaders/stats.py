"""What loaders count."""

import threading
from typing import NamedTuple, Optional


class Stats(NamedTuple):
    """What a loader has done so far.

    `batches` is how often the batch function was called, `keys` for how many keys in all, `largest`
    for how many at once, `time` the seconds that all this took. `hits` is how often a key was asked
    for that was kept already, or on its way.
    """

    batches: int = 0
    keys: int = 0
    hits: int = 0
    largest: int = 0
    time: float = 0.0


class Flushed(NamedTuple):
    """What an `after_flush` is told of a batch: its keys, the seconds that it took, and the error
    by which it failed as a whole, or None.
    """

    keys: list
    time: float
    error: Optional[BaseException]


class Counter:
    """Counts the batches of a loader, in whatever thread they end."""

    def __init__(self):
        self._lock = threading.Lock()
        self.stats = Stats()

    def add(self, keys, seconds):
        with self._lock:
            batches, all_keys, hits, largest, time = self.stats
            largest = max(largest, keys)
            self.stats = Stats(batches + 1, all_keys + keys, hits, largest, time + seconds)
