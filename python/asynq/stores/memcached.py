"""memcached, by pymemcache: what tasks ask for in a round is few requests.

store = Memcached("127.0.0.1:11211", timeout=1)

@store.cached("user", ttl=300)
@asynq()
def user(id): ...
"""

import contextlib
import threading
import time

from .._fork import begin_anew_after_fork
from ..loaders.errors import failed
from .cached import MAX_KEY
from .key_value import Delete, Get, KeyValueStore

try:
    from pymemcache.client.base import Client, PooledClient, normalize_server_spec
    from pymemcache.client.hash import HashClient
    from pymemcache.exceptions import MemcacheClientError, MemcacheServerError
except ImportError as error:
    raise ImportError("pymemcache is missing: pip install 'asynq-rs[memcached]'") from error

__all__ = ["Memcached"]

__traceback_hide__ = True

# A longer time is a date to the server, in seconds since 1970 (its protocol.txt).
_LONGEST = 30 * 24 * 60 * 60


class Memcached(KeyValueStore):
    """A server of memcached, several, or a client of pymemcache.

    Values are bytes, also where a str or a number was set. A key is at most 250 bytes of what can
    be printed, without spaces. The settings are `name`, `timeout`, `priority`, `max_in_flight`,
    `before_flush` and `after_flush` of a `Loader`; with a `timeout`, no connection waits longer,
    either.
    """

    def __init__(self, server="127.0.0.1:11211", **settings):
        client = _client(server, settings.get("timeout"))
        super().__init__(client, **{"name": "memcached", **settings})
        self._be_alone()
        begin_anew_after_fork(self)

    def begin_anew(self):
        """In a forked process: the connections are those of its parent."""
        self._be_alone()
        self.client.close()

    def _be_alone(self):
        # One connection cannot be used by two threads at once.
        is_pool = isinstance(self.client, PooledClient) or getattr(
            self.client, "use_pooling", False
        )
        self._alone = contextlib.nullcontext() if is_pool else threading.Lock()

    def _key(self, key):
        text = super()._key(key)
        encoded = text.encode() if isinstance(text, str) else text
        # By its protocol.txt.
        if not 0 < len(encoded) <= MAX_KEY or any(byte <= 32 or byte == 127 for byte in encoded):
            raise ValueError(
                f"memcached takes keys of 1 to {MAX_KEY} bytes without spaces and control"
                f" characters, not {key!r}; cached() makes such keys of anything"
            )
        return encoded

    def _value(self, value):
        value = super()._value(value)
        return value if isinstance(value, bytes) else str(value).encode()

    def _run(self, operations):
        results = {}
        with self._alone:
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
            # One of the values is refused, and the client does not say which.
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
    if isinstance(server, list):
        servers = [normalize_server_spec(one) for one in server]
        return HashClient(servers, use_pooling=True, **settings)
    return PooledClient(normalize_server_spec(server), **settings)


def _expire(ttl):
    """A time to live as the server takes it: whole seconds, of which 0 are for ever."""
    if ttl is None:
        return 0
    seconds = max(1, round(ttl))
    return seconds if seconds <= _LONGEST else int(time.time()) + seconds


def _phases(operations):
    """Operations that can be one request, phase after phase; those with one key keep their order.

    All with a key that follow its first write come in later phases than that.
    """
    phases = {}  # By their number and what is done in them.
    last = {}  # The phase of what was last done with a key.
    for one in operations:
        kind = Get if isinstance(one, Get) else (type(one), getattr(one, "ttl", None))
        number, before = last.get(one.key, (0, Get))
        if one.key in last and not (kind is Get and before is Get):
            number += 1
        last[one.key] = (number, kind)
        phases.setdefault((number, kind), []).append(one)
    return [phases[phase] for phase in sorted(phases, key=lambda phase: phase[0])]
