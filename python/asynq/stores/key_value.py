"""`KeyValueStore`, the base class of the key-value stores."""

from .._validation import check_duration
from ..decorators import async_proxy
from ..loaders import Loader
from .cached import JSON, cached

__traceback_hide__ = True


# Without max_batch_size: a batch that is sent in several requests would lose its order.
_SETTINGS = ("name", "timeout", "priority", "max_in_flight", "before_flush", "after_flush")


class Operation:
    """An operation on a key. It is the key of a load.

    No two operations are equal, so the loader never replaces one by an earlier one.
    """

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
    """A store of values by keys, which sends the operations of concurrent tasks in one request.

    The operations on one key run in the order in which they were asked for, so a `get` after a
    `set` returns the new value. The requests of a thread take turns, unless `max_in_flight` allows
    several at once, in which case a later one may arrive first.

    Call the methods like async functions: `store.get(key)` synchronously, `yield
    store.get.asynq(key)` in an async function, and `await store.get.asyncio(key)` in a coroutine.
    """

    def __init__(self, client, **settings):
        others = settings.keys() - _SETTINGS
        if others:
            raise TypeError(
                f"unknown setting {', '.join(sorted(others))}: a store accepts only"
                f" {', '.join(_SETTINGS)}"
            )
        self.client = client
        settings = {"max_in_flight": 1, **settings}
        # In one order, whichever request an operation belongs to, and never cached.
        settings["across_requests"] = True
        self.operations = Loader(self._run, blocking=True, **settings)
        self.operations._sends_unawaited = True

    @async_proxy()
    def get(self, key):
        """Returns the value of the key, or None if there is none."""
        return self.operations.asynq(Get(self._key(key)))

    @async_proxy()
    def set(self, key, value, ttl=None):
        """Sets the value of the key. With a `ttl`, the value expires after so many seconds."""
        return self.operations.asynq(Set(self._key(key), self._value(value), _check_ttl(ttl)))

    @async_proxy()
    def delete(self, key):
        """Removes the value of the key. Returns whether there was one."""
        return self.operations.asynq(Delete(self._key(key)))

    def cached(self, prefix, ttl=None, codec=JSON, *, vary_on=()):
        """Makes a decorator that caches the results of an async function in this store.

        - `prefix`: first part of the cache keys. It must be different for each function of a store.
          The rest of a key is the arguments of the call, as JSON.
        - `ttl`: seconds after which a value expires, or None.
        - `codec`: object with the functions `dumps(value)`, which returns bytes or a str, and
          `loads(bytes)`. The default is JSON, which turns tuples into lists.
        - `vary_on`: scoped values or context variables whose values are part of the key, such as
          the user who asks. Without it, everybody gets what was computed for the first caller.

        If the store cannot be reached or a value cannot be decoded, the decorated function logs a
        warning and calls the original function.
        """
        return cached(self, prefix, _check_ttl(ttl), codec, vary_on)

    def close(self):
        """Closes the connections. Later operations open new ones."""
        self.client.close()

    def _run(self, operations):
        """Runs the operations on a worker thread.

        Returns a dict from operations to results. The result of a failed operation is an exception.
        """
        raise NotImplementedError

    def _key(self, key):
        """Returns the key as the client needs it. Raises `TypeError` for other types."""
        if not isinstance(key, (str, bytes)):
            raise TypeError(f"a key must be a str or bytes, got {key!r}")
        return key

    def _value(self, value):
        """Returns the value as the client needs it. Raises `TypeError` for other types."""
        if isinstance(value, bool) or not isinstance(value, (str, bytes, int, float)):
            raise TypeError(
                f"a value must be bytes, a str or a number, got {value!r}; cached() stores other"
                " types"
            )
        return value


def _check_ttl(ttl):
    if ttl is not None:
        check_duration("ttl", ttl)
    return ttl
