"""What the stores of values by keys have in common: operations that leave together."""

import math

from ..decorators import async_proxy
from ..loaders import Loader
from .cached import JSON, cached

__traceback_hide__ = True


# A round that went out in parts would lose the order of its operations.
_SETTINGS = ("name", "timeout", "priority", "max_in_flight", "before_flush", "after_flush")


class Operation:
    """Something to be done with a key. Two are never equal: a write is not a write that was."""

    __slots__ = ("key",)

    name: str

    def __init__(self, key):
        self.key = key

    def __repr__(self):
        key = self.key
        if isinstance(key, bytes):
            key = key.decode(errors="backslashreplace")
        return f"{self.name} {key!r}"


class Get(Operation):
    __slots__ = ()
    name = "get"


class Set(Operation):
    __slots__ = ("ttl", "value")
    name = "set"

    def __init__(self, key, value, ttl):
        super().__init__(key)
        self.value = value
        self.ttl = ttl


class Delete(Operation):
    __slots__ = ()
    name = "delete"


class KeyValueStore:
    """Values by keys. What async functions ask for in a round is one request.

    Within a round, what was asked for with one key is done in that order: a `get` after a `set`
    sees its value.

    `store.get(key)` is a call like any other, `yield store.get.asynq(key)` waits in an async
    function, `await store.get.asyncio(key)` in a coroutine.
    """

    def __init__(self, client, **settings):
        others = settings.keys() - _SETTINGS
        if others:
            raise TypeError(
                f"the settings of a store are {', '.join(_SETTINGS)}, not {', '.join(others)}"
            )
        self.client = client
        self.operations = Loader(self._run, blocking=True, **settings)

    @async_proxy()
    def get(self, key):
        """The value of the key, or None."""
        return self.operations.asynq(Get(self._key(key)))

    @async_proxy()
    def set(self, key, value, ttl=None):
        """Sets the value of the key; with a `ttl`, for so many seconds."""
        return self.operations.asynq(Set(self._key(key), self._value(value), _checked(ttl)))

    @async_proxy()
    def delete(self, key):
        """Forgets the value of the key. Returns whether there was one."""
        return self.operations.asynq(Delete(self._key(key)))

    def cached(self, prefix, ttl=None, codec=JSON):
        """A decorator for an async function: what it has returned for some arguments is kept here.

        The prefix tells the functions of a store apart, the arguments are part of the key as JSON.
        With a `ttl`, a value is kept for so many seconds. `codec` turns values into bytes and back:
        anything with `dumps` and `loads`. By default that is JSON, by which a tuple comes back as a
        list.

        A store that cannot be reached, and a value that cannot be read, count as a miss, and are
        logged: the function is called, and its value returned.
        """
        return cached(self, prefix, _checked(ttl), codec)

    def close(self):
        """Closes the connections. A later operation opens new ones."""
        self.client.close()

    def _run(self, operations):
        """Does all of them; returns their results, an exception for one that has failed."""
        raise NotImplementedError

    def _key(self, key):
        """Checks a key."""
        if not isinstance(key, (str, bytes)):
            raise TypeError(f"a key has to be a str or bytes, not {key!r}")
        return key

    def _value(self, value):
        """Checks a value."""
        if isinstance(value, bool) or not isinstance(value, (str, bytes, int, float)):
            raise TypeError(
                f"a value has to be bytes, a str or a number, not {value!r}; cached() keeps others"
            )
        return value


def _checked(ttl):
    is_number = isinstance(ttl, (int, float)) and not isinstance(ttl, bool)
    if ttl is not None and not (is_number and 0 < ttl < math.inf):
        raise ValueError(f"ttl has to be a positive number of seconds, or None, not {ttl!r}")
    return ttl
