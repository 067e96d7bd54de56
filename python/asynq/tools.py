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
from ._deduplicate import DeduplicateDecorator, DeduplicateDecoratorBinder, deduplicate
from ._delay import delay
from ._event_hook import EventHook
from ._lru import Lru
from .asynq_to_async import is_asyncio_mode
from .contexts import AsyncContext
from .decorators import async_call, asynq

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
    return (yield [function.asynq(element) for element in sequence])


@asynq()
def afilter(function, sequence):
    """Returns a list of the elements for which `function` returns a true value, like `filter`.

    If `function` is None, returns a list of the elements that are true.
    """
    if function is None:
        return list(filter(None, sequence))
    elements = list(sequence)
    return list(itertools.compress(elements, (yield amap.asynq(function, elements))))


@asynq()
def afilterfalse(function, sequence):
    """Returns a list of the elements for which `function` returns a false value."""
    _, no = yield asift.asynq(function, sequence)
    return no


@asynq()
def asift(pred, items):
    """Returns two lists: the items for which `pred` returns a true value, and the other items."""
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
    with context:
        return (yield fn.asynq(*args, **kwargs))


def acached_per_instance():
    """Makes a decorator that caches the results of an asynchronous method per object and arguments.

    The cached values live as long as the object. The object must allow weak references; it need not
    be hashable or have a `__dict__`. The values are not pickled with the object. Errors are not
    cached.

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

    def decorator(fn):
        async_fn = fn.asynq
        cache_key = argument_key(fn, skip=1)
        cache = {}  # id of an object -> a weak reference to it, its values by key

        @asynq()
        @functools.wraps(fn)
        def cached(self, *args, **kwargs):
            instance = id(self)
            if instance not in cache:
                cache[instance] = weakref.ref(self, lambda _: cache.pop(instance)), {}
            values = cache[instance][1]
            key = cache_key(args, kwargs)
            if key not in values:
                values[key] = yield async_fn(self, *args, **kwargs)
            return values[key]

        cached.__acached_per_instance_cache__ = cache
        return cached

    return decorator


def alru_cache(maxsize=128, key_fn=None):
    """Makes a decorator that caches the results of an asynchronous function.

    The cache keeps the results of the `maxsize` keys that were used last. `key_fn(args, kwargs)`
    returns the key of a call. By default all arguments are part of the key, and it makes no
    difference if they are given by position, by name or by default. Errors are not cached.

    Raises `TypeError` if `maxsize` is not an int, and `ValueError` if it is less than 1.
    """

    def decorator(fn):
        cache = Lru(maxsize)
        async_fn = fn.asynq
        cache_key = argument_key(fn) if key_fn is None else key_fn

        @asynq()
        @functools.wraps(fn)
        def cached(*args, **kwargs):
            key = cache_key(args, kwargs)
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

    def decorator(fn):
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

    Raises `AssertionError` if `max_tries` is less than 1.
    """
    if max_tries <= 0:
        raise AssertionError(f"max_tries ({max_tries}) should be a positive integer")

    def decorator(fn):
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

    def __init__(self):
        self.total_time = 0
        self._last_start_time = None

    def resume(self):
        self._last_start_time = utime()

    def pause(self):
        self.total_time += utime() - self._last_start_time


class AsyncEventHook(EventHook):
    """An event whose handlers may be asynchronous functions, which run concurrently.

    >>> @asynq()
    ... def greet(name):
    ...     print("hello", name)
    >>> hook = AsyncEventHook([greet])
    >>> hook.trigger("ann")
    hello ann
    """

    @asynq()
    def trigger(self, *args):
        """Calls every handler, and raises the first error, in the order of the handlers."""
        yield [async_call.asynq(handler, *args) for handler in self]

    @asynq()
    def safe_trigger(self, *args):
        """Calls every handler, even if one raises before it first waits.

        Raises the first error afterwards, in the order of the handlers.
        """
        errors = yield [_error_of.asynq(handler, args) for handler in self]
        first = next((error for error in errors if error is not None), None)
        if first is not None:
            try:
                raise first
            finally:
                del first, errors  # The traceback of the error refers to this frame.


@asynq()
def _error_of(handler, args):
    try:
        yield async_call.asynq(handler, *args)
    except BaseException as error:
        return error
