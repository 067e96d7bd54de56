"""Relatives of built-in functions and of `functools`, for asynchronous functions.

Where a function is taken, it is one with an attribute `asynq`, such as `@asynq()` makes.
"""

import asyncio
import functools
import itertools
import time
import weakref

from ._cache import Lru, argument_key
from ._deduplicate import DeduplicateDecorator, DeduplicateDecoratorBinder, deduplicate
from ._delay import delay
from ._events import EventHook
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
    """A list of `function` of each element: `map` for an asynchronous function."""
    return (yield [function.asynq(element) for element in sequence])


@asynq()
def afilter(function, sequence):
    """A list of the elements for which `function` is true: `filter` for an asynchronous function.

    With None as the function, a list of the elements that are true themselves.
    """
    if function is None:
        return list(filter(None, sequence))
    elements = list(sequence)
    return list(itertools.compress(elements, (yield amap.asynq(function, elements))))


@asynq()
def afilterfalse(function, sequence):
    """A list of the elements for which `function` is false: the others than those of `afilter`."""
    _, no = yield asift.asynq(function, sequence)
    return no


@asynq()
def asift(pred, items):
    """Two lists: the items for which `pred` is true, and the others."""
    items = list(items)
    yes, no = [], []
    for item, verdict in zip(items, (yield amap.asynq(pred, items))):
        (yes if verdict else no).append(item)
    return yes, no


@asynq()
def asorted(iterable, key=None, reverse=False):
    """A sorted list: `sorted` for an asynchronous `key` function.

    The order of elements with equal keys is kept; the elements themselves are not compared.
    """
    elements = list(iterable)
    keys = elements if key is None else (yield amap.asynq(key, elements))
    order = sorted(range(len(elements)), key=keys.__getitem__, reverse=reverse)
    return [elements[i] for i in order]


@asynq()
def amax(*args, **kwargs):
    """The largest element of an iterable, or of several arguments: `max` for an asynchronous `key`.

    >>> @asynq()
    ... def alen(x):
    ...     return len(x)
    >>> amax(["a", "ccc", "bb"], key=alen)
    'ccc'
    """
    return (yield from _extreme("amax", max, *args, **kwargs))


@asynq()
def amin(*args, **kwargs):
    """The smallest element; see `amax`."""
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

    For one of several calls that are yielded together:

        important, unimportant = yield (
            fetch.asynq(1),
            call_with_context.asynq(IgnoreErrors(), fetch, 2),
        )
    """
    with context:
        return (yield fn.asynq(*args, **kwargs))


def acached_per_instance():
    """Caches what an asynchronous method returns, for each object and each set of arguments.

    The cached values live as long as the object, which needs neither be hashable nor have a
    `__dict__`, but has to allow weak references. They are not pickled with it. Errors are not
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
    """Caches what an asynchronous function returns, for the `maxsize` arguments used last.

    `key_fn(args, kwargs)` makes the key of a call, for arguments that are too large to be kept, or
    some of which don't matter. By default all arguments count, and it does not matter whether they
    are given by position, by name or by default. Errors are not cached.

    Raises `ValueError` if `maxsize` is not positive.
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
    """Caches what an asynchronous function without arguments returns.

    For `ttl` microseconds, or for ever if that is 0, or until `dirty()` of the function is called.

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
    """The time, in microseconds since 1970."""
    return int(time.time() * 1_000_000)


def aretry(exception_cls, max_tries=10, sleep=0.05):
    """Calls an asynchronous function again if it fails.

    - `exception_cls`: an exception class or a tuple of them; other errors are raised at once.
    - `max_tries`: how often it is called, at most. The error of the last time is raised.
    - `sleep`: the seconds between two tries. Other tasks and batches go first; only when there is
      nothing else to do, the thread sleeps, once for all tasks that wait to retry.
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
    """Measures how long a block takes, without the time in which its task waits.

    >>> @asynq()
    ... def timed(fn):
    ...     with AsyncTimer() as timer:
    ...         yield fn.asynq()
    ...     return timer.total_time

    What other tasks do meanwhile does not count; what those do that the block waits for does.
    `total_time`, in microseconds, is valid after the block.
    """

    def __init__(self):
        self.total_time = 0
        self._last_start_time = None

    def resume(self):
        self._last_start_time = utime()

    def pause(self):
        self.total_time += utime() - self._last_start_time


class AsyncEventHook(EventHook):
    """An event whose handlers may be asynchronous functions; those run together.

    >>> @asynq()
    ... def greet(name):
    ...     print("hello", name)
    >>> hook = AsyncEventHook([greet])
    >>> hook.trigger("ann")
    hello ann
    """

    @asynq()
    def trigger(self, *args):
        """Calls every handler; raises the first error, in the order of the handlers."""
        yield [async_call.asynq(handler, *args) for handler in self]

    @asynq()
    def safe_trigger(self, *args):
        """Calls every handler, also those after one that raises before it waits for anything.

        Then raises the first error, in the order of the handlers.
        """
        errors = yield [_error_of.asynq(handler, args) for handler in self]
        first = next((error for error in errors if error is not None), None)
        if first is not None:
            try:
                raise first
            finally:
                del first, errors  # The error's traceback holds this frame.


@asynq()
def _error_of(handler, args):
    try:
        yield async_call.asynq(handler, *args)
    except BaseException as error:
        return error
