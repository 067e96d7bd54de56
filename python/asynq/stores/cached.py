"""A read-through cache: what an async function returns is kept in a store."""

import functools
import hashlib
import json
import logging
from urllib.parse import quote

from .._argument_key import argument_key
from ..decorators import asynq, is_async_fn
from ..tools import deduplicate

__traceback_hide__ = True

_logger = logging.getLogger(__name__)

# memcached takes no key of more bytes (its protocol.txt); other stores take longer ones.
MAX_KEY = 250


class JSON:
    """Values as JSON."""

    @staticmethod
    def dumps(value):
        return json.dumps(value, separators=(",", ":")).encode()

    @staticmethod
    def loads(value):
        return json.loads(value)


def cached(store, prefix, ttl, codec):
    """A decorator; see `KeyValueStore.cached`."""
    if not isinstance(prefix, str):
        raise TypeError(f"the prefix of a cache is a text, not {prefix!r}")
    prefix = quote(prefix, safe=":/._-")
    if len(prefix) > MAX_KEY // 2:
        raise ValueError(f"the prefix of a cache is too long: {prefix!r}")

    def decorate(function):
        if not is_async_fn(function):
            raise TypeError(
                f"cached() is for async functions: {function!r} needs an @asynq() below it"
            )
        arguments = argument_key(function)

        def key(args, kwargs):
            return _key(prefix, arguments(args, kwargs))

        @deduplicate(key)
        @asynq()
        @functools.wraps(getattr(function, "fn", function))
        def read_through(*args, **kwargs):
            place = key(args, kwargs)
            try:
                found = yield store.get.asynq(place)
                if found is not None:
                    return codec.loads(found)
            except Exception:
                _logger.warning("%s is not in the cache: it cannot be read", place, exc_info=True)
            value = yield function.asynq(*args, **kwargs)
            try:
                yield store.set.asynq(place, codec.dumps(value), ttl)
            except Exception:
                _logger.warning("%s is not put into the cache", place, exc_info=True)
            return value

        return read_through

    return decorate


def _key(prefix, arguments):
    """A key that every store takes, whatever the arguments are."""
    try:
        _check(arguments)
        text = json.dumps(arguments, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"the arguments of a cached function are part of its key as JSON: {error}"
        ) from None
    key = f"{prefix}:{quote(text, safe='[]{},:')}"
    if len(key) > MAX_KEY:
        key = f"{prefix}:{hashlib.sha256(text.encode()).hexdigest()}"
    return key


def _check(value):
    """Raises for what JSON would write like something else."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a dict among them has texts as keys, not {key!r}")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        _check(part)
