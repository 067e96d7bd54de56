"""Asynchronous counterparts of built-in functions and of `functools`.

Every function that these tools take as an argument must have an attribute `asynq`, which the
decorator `@asynq()` adds, unless stated otherwise.
"""

import asyncio
import functools
import itertools
import time
import weakref

from ._argument_key import argument_key
from ._async_event_hook import AsyncEventHook
from ._deduplicate import DeduplicateDecorator, DeduplicateDecoratorBinder, deduplicate
from ._delay import delay
from ._lru import Lru
from ._validation import (
    check_async_fn,
    check_callable,
    check_count,
    check_duration,
    check_no_function,
)
from ._vary_on import VaryOn
from .asynq_to_async import is_asyncio_mode
from .contexts import AsyncContext
from .decorators import asynq, is_async_fn

__all__ = [
    "AsyncEventHook",
    "AsyncTimer",
    "DeduplicateDecorator",
    "DeduplicateDecoratorBinder",
    "acached_per_instance",
    "afilter",
    "afilterfalse",
    "alazy_constant",
    "alru_cache",
    "amap",
    "amax",
    "amin",
    "aretry",
    "asift",
    "asorted",
    "call_with_context",
    "deduplicate",
]


@asynq()
def amap(function, sequence):
    """Returns a list with the result of `function` for each element, like `map`."""
    check_async_fn("the function of amap()", function)
    return (yield [function.asynq(element) for element in sequence])


@asynq()
def afilter(function, sequence):
    """Returns a list of the elements for which `function` returns a true value, like `filter`.

    If `function` is None, returns a list of the elements that are true.
    """
    if function is None:
        return list(filter(None, sequence))
    check_async_fn("the function of afilter()", function)
    elements = list(sequence)
    return list(itertools.compress(elements, (yield amap.asynq(function, elements))))


@asynq()
def afilterfalse(function, sequence):
    """Returns a list of the elements for which `function` returns a false value."""
    check_async_fn("the function of afilterfalse()", function)
    _, no = yield asift.asynq(function, sequence)
    return no


@asynq()
def asift(pred, items):
    """Returns two lists: the items for which `pred` returns a true value, and the other items."""
    check_async_fn("the function of asift()", pred)
    items = list(items)
    yes, no = [], []
    for item, verdict in zip(items, (yield amap.asynq(pred, items))):
        (yes if verdict else no).append(item)
    return yes, no


@asynq()
def asorted(iterable, key=None, reverse=False):
    """Returns a sorted list, like `sorted`, with an asynchronous `key` function.

    The sort is stable. With a `key`, the elements themselves are never compared.
    """
    if key is not None:
        check_async_fn("the key of asorted()", key)
    elements = list(iterable)
    keys = elements if key is None else (yield amap.asynq(key, elements))
    order = sorted(range(len(elements)), key=keys.__getitem__, reverse=reverse)
    return [elements[i] for i in order]


@asynq()
def amax(*args, **kwargs):
    """Returns the largest element of an iterable, or the largest of several arguments, like `max`.

    `key` is an asynchronous function. There is no `default`: an empty iterable is a `ValueError`.

    >>> @asynq()
    ... def alen(x):
    ...     return len(x)
    >>> amax(["a", "ccc", "bb"], key=alen)
    'ccc'
    """
    return (yield from _extreme("amax", max, *args, **kwargs))


@asynq()
def amin(*args, **kwargs):
    """Returns the smallest element; see `amax`."""
    return (yield from _extreme("amin", min, *args, **kwargs))


def _extreme(name, choose, *args, key=None, **unknown):
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(unknown))!r}")
    if not args:
        raise TypeError(f"{name}() expected 1 arguments, got 0")
    elements = args[0] if len(args) == 1 else args
    if key is None:
        return choose(elements)
    check_async_fn(f"the key of {name}()", key)
    elements = list(elements)
    keys = yield amap.asynq(key, elements)
    return elements[choose(range(len(elements)), key=keys.__getitem__)]


@asynq()
def call_with_context(context, fn, *args, **kwargs):
    """Calls an asynchronous function inside a context manager.

    Use it to put one of several calls that are yielded together into a context:

        important, unimportant = yield (
            fetch.asynq(1),
            call_with_context.asynq(IgnoreErrors(), fetch, 2),
        )
    """
    check_async_fn("the function of call_with_context()", fn)
    with context:
        return (yield fn.asynq(*args, **kwargs))


def acached_per_instance(*, vary_on=()):
    """Makes a decorator that caches the results of an asynchronous method per object and arguments.

    The cached values live as long as the object. The object must allow weak references; it need not
    be hashable or have a `__dict__`. The values are not pickled with the object. Errors are not
    cached.

    A value is computed under the contexts of the first caller, for all of them. If the method
    depends on who asks, name the scoped values or context variables that say so in `vary_on`: their
    values are part of the key.

    >>> class Account:
    ...     @acached_per_instance()
    ...     @asynq()
    ...     def balance(self, currency="EUR"):
    ...         print("asked for", currency)
    ...         return 100
    >>> account = Account()
    >>> account.balance(), account.balance("EUR"), account.balance(currency="EUR")
    asked for EUR
    (100, 100, 100)
    """

    vary_on = VaryOn(vary_on)

    def decorator(fn):
        check_async_fn("the argument of @acached_per_instance()", fn)
        async_fn = fn.asynq
        cache_key = argument_key(fn, skip=1)
        cache = {}  # id of an object -> a weak reference to it, its values by key

        @asynq()
        @functools.wraps(fn)
        def cached(self, /, *args, **kwargs):
            instance = id(self)
            if instance not in cache:
                cache[instance] = weakref.ref(self, lambda _: cache.pop(instance)), {}
            values = cache[instance][1]
            key = vary_on.key(cache_key(args, kwargs))
            if key not in values:
                values[key] = yield async_fn(self, *args, **kwargs)
            return values[key]

        cached.__acached_per_instance_cache__ = cache
        return cached

    return decorator


def alru_cache(maxsize=128, key_fn=None, *, vary_on=()):
    """Makes a decorator that caches the results of an asynchronous function.

    The cache keeps the results of the `maxsize` keys that were used last. `key_fn(args, kwargs)`
    returns the key of a call. By default all arguments are part of the key, and it makes no
    difference if they are given by position, by name or by default. Errors are not cached.

    A value is computed under the contexts of the first caller, for all of them. If the function
    depends on who asks, name the scoped values or context variables that say so in `vary_on`: their
    values are part of the key.

    >>> from asynq import AsyncScopedValue
    >>> user = AsyncScopedValue("nobody")
    >>> @alru_cache(vary_on=user)
    ... @asynq()
    ... def document(id):
    ...     return f"document {id} for {user.get()}"
    >>> with user.override("ann"):
    ...     document(1)
    'document 1 for ann'
    >>> document(1)
    'document 1 for nobody'

    Raises `TypeError` if `maxsize` is not an int, and `ValueError` if it is less than 1.
    """

    check_no_function("alru_cache", maxsize)
    check_count("maxsize", maxsize)
    if key_fn is not None:
        check_callable("key_fn", key_fn)
    vary_on = VaryOn(vary_on)

    def decorator(fn):
        check_async_fn("the argument of @alru_cache()", fn)
        cache = Lru(maxsize)
        async_fn = fn.asynq
        cache_key = argument_key(fn) if key_fn is None else key_fn

        @asynq()
        @functools.wraps(fn)
        def cached(*args, **kwargs):
            key = vary_on.key(cache_key(args, kwargs))
            try:
                return cache[key]
            except KeyError:
                pass
            value = yield async_fn(*args, **kwargs)
            cache[key] = value
            return value

        return cached

    return decorator


def alazy_constant(ttl=0):
    """Makes a decorator that caches the result of an asynchronous function without arguments.

    The result is kept for `ttl` microseconds, or without a limit if `ttl` is 0. `dirty()` of the
    decorated function removes it. Errors are not cached.

    The result is computed under the contexts of the first caller, for all of them. For one that
    depends on who asks, use `alru_cache(vary_on=...)`.

    >>> @alazy_constant()
    ... @asynq()
    ... def settings():
    ...     print("reading")
    ...     return {"debug": True}
    >>> settings() is settings()
    reading
    True
    >>> settings.dirty()
    >>> settings()
    reading
    {'debug': True}
    """

    check_no_function("alazy_constant", ttl)
    check_duration("ttl", ttl, unit="microseconds", minimum_is_zero=True)

    def decorator(fn):
        check_async_fn("the argument of @alazy_constant()", fn)

        @asynq()
        @functools.wraps(fn)
        def constant():
            refreshed = constant.alazy_constant_refresh_time
            if refreshed == 0 or (ttl != 0 and refreshed < utime() - ttl):
                constant.alazy_constant_cached_value = yield fn.asynq()
                constant.alazy_constant_refresh_time = utime()
            return constant.alazy_constant_cached_value

        def dirty():
            constant.alazy_constant_refresh_time = 0

        constant.dirty = dirty
        constant.alazy_constant_refresh_time = 0
        constant.alazy_constant_cached_value = None
        return constant

    return decorator


def utime():
    """Returns the time in microseconds since 1970."""
    return int(time.time() * 1_000_000)


def aretry(exception_cls, max_tries=10, sleep=0.05):
    """Makes a decorator that calls an asynchronous function again if it fails.

    - `exception_cls`: exception class or tuple of classes to retry. Other errors are raised
      immediately.
    - `max_tries`: maximum number of calls, at least 1. The error of the last call is raised.
    - `sleep`: seconds between two calls. Other tasks and batches go first. The thread sleeps only
      when nothing else can run, once for all tasks that wait to retry.

    Raises `AssertionError` if `max_tries` is less than 1, `TypeError` for arguments of other types,
    and `ValueError` if `sleep` is negative or not finite.
    """
    if is_async_fn(exception_cls):
        check_no_function("aretry", exception_cls)
    for cls in exception_cls if isinstance(exception_cls, tuple) else (exception_cls,):
        if not isinstance(cls, type) or not issubclass(cls, BaseException):
            name = getattr(cls, "__qualname__", repr(cls))
            raise TypeError(
                f"exception_cls must be an exception class or a tuple of them, got {name}"
            )
    if not isinstance(max_tries, int):
        raise TypeError(f"max_tries must be an int, got {max_tries!r}")
    if max_tries <= 0:
        raise AssertionError(f"max_tries ({max_tries}) should be a positive integer")
    check_duration("sleep", sleep, minimum_is_zero=True)

    def decorator(fn):
        check_async_fn("the argument of @aretry()", fn)

        @asynq()
        @functools.wraps(fn)
        def retried(*args, **kwargs):
            for tries_left in reversed(range(max_tries)):
                try:
                    return (yield fn.asynq(*args, **kwargs))
                except exception_cls:
                    if not tries_left:
                        raise
                if is_asyncio_mode():
                    yield asyncio.sleep(sleep)
                elif sleep:
                    yield from delay(sleep)

        retried.original_fn = fn
        return retried

    return decorator


class AsyncTimer(AsyncContext):
    """A context manager that measures the running time of its block.

    >>> @asynq()
    ... def timed(fn):
    ...     with AsyncTimer() as timer:
    ...         yield fn.asynq()
    ...     return timer.total_time

    `total_time` is the time in microseconds, valid after the block. It includes the running time of
    the tasks that the block awaits, but not that of unrelated tasks that run meanwhile.
    """

    in_flushes = False

    # Class attributes, so that a subclass need not call `super().__init__()`.
    total_time = 0
    _depth = 0  # More than 1 if the timer is entered again inside its block.
    _last_start_time = None

    def __init__(self):
        self.total_time = 0

    def resume(self):
        if self._depth == 0:
            self._last_start_time = utime()
        self._depth += 1

    def pause(self):
        if self._depth == 0:
            raise RuntimeError("the AsyncTimer is not running: enter it before it is paused")
        self._depth -= 1
        if self._depth == 0:
            self.total_time += utime() - self._last_start_time
