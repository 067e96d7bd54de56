"""`Lru`, a cache of limited size."""

import math
import time
from collections import OrderedDict
from collections.abc import MutableMapping

from ._validation import check_callable, check_count, check_duration

_RAISE = object()


class Lru(MutableMapping):
    """A mapping that keeps the `capacity` keys that were read or written last.

    With a `ttl`, each value expires so many seconds after it was written. `clock` is a function
    that returns the time in seconds. `len` also counts expired values that were not read since.

    Raises `TypeError` for arguments of other types, and `ValueError` if `capacity` is less than 1
    or `ttl` is not positive.

    >>> cache = Lru(2)
    >>> cache["a"] = 1
    >>> cache["b"] = 2
    >>> cache["a"]
    1
    >>> cache["c"] = 3
    >>> list(cache)
    ['a', 'c']
    """

    def __init__(self, capacity, ttl=None, clock=time.monotonic):
        check_count("capacity", capacity)
        if ttl is not None and ttl != math.inf:
            check_duration("ttl", ttl)
        check_callable("clock", clock)
        self._capacity = capacity
        self._ttl = ttl
        self._clock = clock
        self._values = OrderedDict()  # key -> (value, the time at which it expires or None)

    def __getitem__(self, key):
        value, end = self._values[key]
        if end is not None and self._clock() >= end:
            self._values.pop(key, None)
            raise KeyError(key)
        try:
            self._values.move_to_end(key)
        except KeyError:
            pass  # Another thread has removed the key meanwhile.
        return value

    def __setitem__(self, key, value):
        end = None if self._ttl is None else self._clock() + self._ttl
        self._values.pop(key, None)  # The key then becomes the last one.
        self._values[key] = (value, end)
        if len(self._values) > self._capacity:
            try:
                self._values.popitem(last=False)
            except KeyError:
                pass  # Another thread has removed all keys meanwhile.

    def __delitem__(self, key):
        del self._values[key]

    # `MutableMapping` reads before it deletes in `pop` and `clear`, which fails for expired keys.

    def pop(self, key, default=_RAISE):
        value, end = self._values.pop(key, (None, -math.inf))
        if end is None or self._clock() < end:
            return value
        if default is _RAISE:
            raise KeyError(key)
        return default

    def clear(self):
        self._values.clear()

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        # A copy, because reading a value moves its key, also in `items`, `values` and `==`.
        now = None if self._ttl is None else self._clock()
        entries = list(self._values.items())
        return iter([key for key, (_, end) in entries if end is None or now < end])
