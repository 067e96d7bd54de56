"""What the caching tools share: keys made of arguments, and a cache of limited size."""

import inspect
import math
import time
from collections import OrderedDict
from collections.abc import MutableMapping


def original_fn(fn):
    """The function inside all decorators that say what they decorate: `original_fn` or `fn`."""
    while True:
        if isinstance(fn, (classmethod, staticmethod)):
            fn = fn.__func__
        elif hasattr(fn, "original_fn"):
            fn = fn.original_fn
        elif hasattr(fn, "fn"):
            fn = fn.fn
        else:
            return fn


def argument_key(fn, skip=0):
    """Makes a function of `(args, kwargs)` that returns a key for a call of `fn` with them.

    Calls that give all parameters of `fn` the same values have the same key, no matter whether by
    position, by name or by default; calls that don't have different ones. The first `skip`
    parameters are not part of the key, nor of the `args` it is made of.

    The key raises `TypeError` where a parameter is missing.
    """
    fn = original_fn(fn)
    spec = inspect.getfullargspec(fn)
    positional = spec.args[skip:]
    names = positional + spec.kwonlyargs
    defaults = dict(spec.kwonlydefaults or {})
    if spec.defaults:
        defaults.update(zip(spec.args[-len(spec.defaults) :], spec.defaults))
    fn_name = getattr(fn, "__qualname__", repr(fn))
    length_of_plain_calls = len(names) if not spec.kwonlyargs else None

    def key(args, kwargs):
        if not kwargs and len(args) == length_of_plain_calls:
            return args
        values = list(args[: len(positional)])
        by_name = names[len(values) :]
        for name in by_name:
            if name in kwargs:
                values.append(kwargs[name])
            elif name in defaults:
                values.append(defaults[name])
            else:
                raise TypeError(f"{fn_name}() missing a required argument: {name!r}")
        rest = sorted(item for item in kwargs.items() if item[0] not in by_name)
        if rest or len(args) > len(positional):
            # One element more than without: no confusion with a call that has nothing of this.
            values.append((args[len(positional) :], tuple(rest)))
        return tuple(values)

    return key


_RAISE = object()


class Lru(MutableMapping):
    """A mapping that keeps the `capacity` keys that were last read or written.

    With a `ttl`, each only for so many seconds after it was written, by the `clock`.

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
        if not isinstance(capacity, int):
            raise TypeError(f"capacity must be integer, not {type(capacity)}")
        if capacity <= 0:
            raise ValueError(f"capacity must be positive, not {capacity}")
        if ttl is not None and not ttl > 0:
            raise ValueError(f"ttl must be a positive number of seconds, not {ttl!r}")
        self._capacity = capacity
        self._ttl = ttl
        self._clock = clock
        self._values = OrderedDict()  # With the time at which each ends.

    def __getitem__(self, key):
        value, end = self._values[key]
        if end is not None and self._clock() >= end:
            self._values.pop(key, None)
            raise KeyError(key)
        try:
            self._values.move_to_end(key)
        except KeyError:
            pass  # Another thread has dropped it meanwhile.
        return value

    def __setitem__(self, key, value):
        end = None if self._ttl is None else self._clock() + self._ttl
        self._values.pop(key, None)  # So that it becomes the last.
        self._values[key] = (value, end)
        if len(self._values) > self._capacity:
            try:
                self._values.popitem(last=False)
            except KeyError:
                pass  # Another thread has dropped all meanwhile.

    def __delitem__(self, key):
        del self._values[key]

    # Those of `MutableMapping` look before they delete, and stop at a key whose time is over.

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
        return iter(self._values)
