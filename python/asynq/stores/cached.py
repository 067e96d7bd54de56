"""The read-through cache of key-value stores: it keeps the results of async functions."""

import functools
import hashlib
import json
import logging
from urllib.parse import quote

from .._argument_key import argument_key
from .._vary_on import VaryOn
from ..decorators import asynq, is_async_fn
from ..tools import deduplicate

__traceback_hide__ = True

_logger = logging.getLogger(__name__)

# The maximum length of a memcached key, in bytes (its protocol.txt). Other stores allow more.
MAX_KEY = 250


class JSON:
    """The default codec, which encodes values as JSON."""

    @staticmethod
    def dumps(value):
        return json.dumps(value, separators=(",", ":")).encode()

    @staticmethod
    def loads(value):
        return json.loads(value)


def cached(store, prefix, ttl, codec, vary_on=()):
    """A decorator; see `KeyValueStore.cached`."""
    if not isinstance(prefix, str):
        raise TypeError(f"the prefix of a cache must be a str, got {prefix!r}")
    if not (hasattr(codec, "dumps") and hasattr(codec, "loads")):
        raise TypeError(f"codec must have the functions dumps and loads, got {codec!r}")
    prefix = quote(prefix, safe=":/._-")
    if len(prefix) > MAX_KEY // 2:
        raise ValueError(
            f"the prefix of a cache must have at most {MAX_KEY // 2} bytes, got {prefix!r}"
        )

    vary_on = VaryOn(vary_on)

    def decorate(function):
        if not is_async_fn(function):
            raise TypeError(
                f"cached() needs an async function, got {function!r}: put @asynq() below it"
            )
        arguments = argument_key(function)

        def key(args, kwargs):
            return _key(prefix, vary_on.key(arguments(args, kwargs)))

        # The key is made again when the task runs, where `vary_on` keeps the values of the call.
        @deduplicate(key, vary_on=vary_on.sources)
        @asynq()
        @functools.wraps(getattr(function, "fn", function))
        def read_through(*args, **kwargs):
            cache_key = key(args, kwargs)
            try:
                cached_value = yield store.get.asynq(cache_key)
                if cached_value is not None:
                    return codec.loads(cached_value)
            except Exception:
                _logger.warning("cannot read %s from the cache", cache_key, exc_info=True)
            value = yield function.asynq(*args, **kwargs)
            try:
                yield store.set.asynq(cache_key, codec.dumps(value), ttl)
            except Exception:
                _logger.warning("cannot write %s to the cache", cache_key, exc_info=True)
            return value

        return read_through

    return decorate


def _key(prefix, arguments):
    """Returns a cache key that every store accepts.

    Raises `TypeError` if JSON cannot represent the arguments exactly.
    """
    try:
        _check(arguments)
        text = json.dumps(arguments, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"cached() needs arguments that JSON can represent: {error}") from None
    key = f"{prefix}:{quote(text, safe='[]{},:')}"
    if len(key) > MAX_KEY:
        key = f"{prefix}:{hashlib.sha256(text.encode()).hexdigest()}"
    return key


def _check(value):
    """Raises `TypeError` for dict keys that JSON would convert to strings."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"dict arguments must have str keys, got {key!r}")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        _check(part)
