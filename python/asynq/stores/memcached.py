"""memcached, with pymemcache: few requests for the operations of concurrent tasks.

store = Memcached("127.0.0.1:11211", timeout=1)

@store.cached("user", ttl=300)
@asynq()
def user(id): ...
"""

import contextlib
import threading
import time

from .._fork import reset_after_fork
from ..loaders.errors import failed
from .cached import MAX_KEY
from .key_value import Delete, Get, KeyValueStore

try:
    from pymemcache.client.base import Client, PooledClient, normalize_server_spec
    from pymemcache.client.hash import HashClient
    from pymemcache.exceptions import MemcacheClientError, MemcacheServerError
except ImportError as error:
    raise ImportError("pymemcache is not installed: pip install 'asynq-rs[memcached]'") from error

__all__ = ["Memcached"]

__traceback_hide__ = True

# The server reads a larger number as a date, in seconds since 1970 (its protocol.txt).
_MAX_RELATIVE_SECONDS = 30 * 24 * 60 * 60


class Memcached(KeyValueStore):
    """A key-value store on one or more memcached servers.

    - `server`: address of a server (`"host:port"` or a tuple), a list of addresses, or a client of
      pymemcache.
    - `settings`: `name`, `timeout`, `priority`, `max_in_flight`, `before_flush` and `after_flush`
      of a `Loader`. The `timeout`, in seconds, is also the timeout of the connections.

    `get` returns values as bytes, even if a str or a number was set. A key has 1 to 250 bytes,
    without spaces and control characters; other keys raise `ValueError`.
    """

    def __init__(self, server="127.0.0.1:11211", **settings):
        client = _client(server, settings.get("timeout"))
        super().__init__(client, **{"name": "memcached", **settings})
        self._make_lock()
        reset_after_fork(self)

    def _reset(self):
        self._make_lock()
        _close_after_fork(self.client)  # Its connections belong to the parent process.

    def _make_lock(self):
        # Two threads cannot use one connection at once.
        is_pool = isinstance(self.client, PooledClient) or getattr(
            self.client, "use_pooling", False
        )
        self._lock = contextlib.nullcontext() if is_pool else threading.Lock()

    def _key(self, key):
        text = super()._key(key)
        encoded = text.encode() if isinstance(text, str) else text
        # See its protocol.txt.
        if not 0 < len(encoded) <= MAX_KEY or any(byte <= 32 or byte == 127 for byte in encoded):
            raise ValueError(
                f"memcached keys must have 1 to {MAX_KEY} bytes without spaces and control"
                f" characters, got {key!r}; cached() makes valid keys of any arguments"
            )
        return encoded

    def _value(self, value):
        value = super()._value(value)
        return value if isinstance(value, bytes) else str(value).encode()

    def _run(self, operations):
        results = {}
        with self._lock:
            for phase in _phases(operations):
                kind = type(phase[0])
                run = self._gets if kind is Get else self._deletes if kind is Delete else self._sets
                run(phase, results)
        return results

    def _gets(self, gets, results):
        values = self.client.get_many(list(dict.fromkeys(get.key for get in gets)))
        for get in gets:
            results[get] = values.get(get.key)

    def _sets(self, sets, results):
        expire = _expire(sets[0].ttl)
        try:
            not_stored = self.client.set_many(
                {one.key: one.value for one in sets}, expire, noreply=False
            )
            results.update(dict.fromkeys(sets))
        except (MemcacheClientError, MemcacheServerError):
            # The server has refused a value, and the client does not report which one.
            not_stored = [one.key for one in sets]
        for one in sets:
            if one.key in not_stored:
                results[one] = self._set(one, expire)

    def _set(self, one, expire):
        try:
            if self.client.set(one.key, one.value, expire, noreply=False):
                return None
            error = MemcacheServerError("the value was not stored")
        except (MemcacheClientError, MemcacheServerError) as refused:
            error = refused
        return failed(self.operations.name, one, error)

    def _deletes(self, deletes, results):
        for delete in deletes:
            results[delete] = self.client.delete(delete.key, noreply=False)


def _client(server, timeout):
    if isinstance(server, (Client, PooledClient, HashClient)):
        return server
    settings = {"timeout": timeout, "connect_timeout": timeout}
    if isinstance(server, list) and not server:
        raise ValueError("the list of memcached servers is empty: give at least one address")
    if not isinstance(server, (str, tuple, list)):
        raise TypeError(
            f"server must be an address, a list of addresses or a pymemcache client, got {server!r}"
        )
    if isinstance(server, list):
        return HashClient([_address(one) for one in server], use_pooling=True, **settings)
    return PooledClient(_address(server), **settings)


def _close_after_fork(client):
    """Closes the connections of a client, of which other threads have used some at the fork."""
    for one in client.clients.values() if isinstance(client, HashClient) else [client]:
        if isinstance(one, PooledClient):
            one.client_pool._lock = threading.Lock()  # One of those threads may have held it.
        one.close()


def _address(server):
    is_pair = isinstance(server, tuple) and len(server) == 2 and isinstance(server[0], str)
    if not server or not (is_pair or isinstance(server, str)):
        raise ValueError(
            "the address of a memcached server must be 'host:port' or a tuple (host, port), got"
            f" {server!r}"
        )
    return normalize_server_spec(server)


def _expire(ttl):
    """Returns a ttl in the format of the server: whole seconds, where 0 means no expiry."""
    if ttl is None:
        return 0
    seconds = max(1, round(ttl))
    return seconds if seconds <= _MAX_RELATIVE_SECONDS else int(time.time()) + seconds


def _phases(operations):
    """Splits operations into phases, each of which can be one request.

    Phases run one after the other. Operations on one key keep their order: after the first write
    of a key, each operation on it is in a later phase than the one before.
    """
    phases = {}  # (phase number, kind of its operations) -> operations
    last = {}  # key -> phase of the last operation on it
    for one in operations:
        kind = Get if isinstance(one, Get) else (type(one), getattr(one, "ttl", None))
        number, before = last.get(one.key, (0, Get))
        if one.key in last and not (kind is Get and before is Get):
            number += 1
        last[one.key] = (number, kind)
        phases.setdefault((number, kind), []).append(one)
    return [phases[phase] for phase in sorted(phases, key=lambda phase: phase[0])]
