"""The decorators that make functions asynchronous, and questions about such functions.

A function decorated with `@asynq()` can be called in three ways: `f(x)` runs it to its value,
`f.asynq(x)` makes a task to yield in another such function, and `await f.asyncio(x)` runs it on an
asyncio event loop.
"""

import functools
import logging
from collections.abc import Awaitable

from ._asynq import (
    AsyncDecorator,
    AsyncDecoratorBinder,
    AsyncTask,
    ConstFuture,
    DecoratorBase,
    DecoratorBinder,
    Future,
    PureAsyncDecorator,
    PureAsyncDecoratorBinder,
)
from .asynq_to_async import (
    AsyncioMode,
    NoAsyncioMode,
    convert_asynq_to_async,
    is_asyncio_mode,
    resolve_awaitables,
)

__all__ = [
    "AsyncAndSyncPairDecorator",
    "AsyncAndSyncPairDecoratorBinder",
    "AsyncAndSyncPairProxyDecorator",
    "AsyncDecorator",
    "AsyncDecoratorBinder",
    "AsyncProxyDecorator",
    "AsyncWrapper",
    "DecoratorBase",
    "DecoratorBinder",
    "PureAsyncDecorator",
    "PureAsyncDecoratorBinder",
    "async_call",
    "async_proxy",
    "asyncio_call",
    "asynq",
    "convert_asynq_to_async",
    "get_async_fn",
    "get_async_or_sync_fn",
    "has_async_fn",
    "is_async_fn",
    "is_pure_async_fn",
    "lazy",
    "make_async_decorator",
]

__traceback_hide__ = True

_logger = logging.getLogger("asynq")


def asynq(
    pure=False, sync_fn=None, cls=AsyncTask, asyncio_fn=None, allow_sync_call=False, **kwargs
):
    """Makes a function asynchronous: `@asynq()`.

    Inside, `yield` waits for futures: one, or lists, tuples and dictionaries of them. It gives
    their values in the same shape, or raises the error of the first that failed. Functions without
    `yield` are fine, too, and so are methods, class methods and static methods.

    >>> @asynq()
    ... def square(x):
    ...     return x * x
    >>> @asynq()
    ... def sum_of_squares(xs):
    ...     return sum((yield [square.asynq(x) for x in xs]))
    >>> sum_of_squares([3, 4])
    25

    - `pure`: calling the function makes the task; there is no `.asynq` and no synchronous call.
    - `sync_fn`: what a synchronous call calls instead.
    - `cls`: the class of the tasks, a subclass of `AsyncTask`. With `pure`, further keyword
      arguments are passed on to it.
    - `asyncio_fn`: the coroutine function that `.asyncio` calls instead of the function itself.
    - `allow_sync_call`: whether a synchronous call in asyncio mode, which blocks the event loop,
      logs a warning and is made. By default it is a `RuntimeError`.
    """
    _check_called_with_parentheses("asynq", pure)
    if kwargs and not pure:
        raise AssertionError("custom kwargs are only supported with pure=True")
    if pure and sync_fn is not None:
        raise AssertionError("sync_fn is not supported for pure async functions")

    def decorate(fn):
        if is_async_fn(fn):
            raise AssertionError("@asynq() decorator can be applied just once")
        if pure:
            return PureAsyncDecorator(fn, cls, kwargs, asyncio_fn)
        if sync_fn is None:
            return AsyncDecorator(fn, cls, kwargs, asyncio_fn, allow_sync_call)
        return AsyncAndSyncPairDecorator(fn, cls, sync_fn, kwargs, asyncio_fn, allow_sync_call)

    return decorate


def async_proxy(pure=False, sync_fn=None, asyncio_fn=None, allow_sync_call=False):
    """Makes a function that returns a future look like one decorated with `@asynq()`.

    No task is made for the call: the future is what the function has returned. The parameters are
    those of `asynq`; with `pure` the function stays as it is.

    >>> @asynq()
    ... def greet(name):
    ...     return "hello " + name
    >>> @async_proxy()
    ... def greet_world():
    ...     return greet.asynq("world")
    >>> greet_world()
    'hello world'
    """
    _check_called_with_parentheses("async_proxy", pure)
    if sync_fn is not None and pure:
        raise AssertionError("sync_fn=? cannot be used together with pure=True")

    def decorate(fn):
        if pure:
            return fn
        if sync_fn is None:
            return AsyncProxyDecorator(fn, asyncio_fn, allow_sync_call)
        return AsyncAndSyncPairProxyDecorator(fn, sync_fn, asyncio_fn, allow_sync_call)

    return decorate


def _check_called_with_parentheses(name, first_argument):
    if callable(first_argument) or isinstance(first_argument, (classmethod, staticmethod)):
        raise TypeError(f"@{name} needs parentheses: write @{name}() above the function")


def make_async_decorator(fn, wrapper_fn, name):
    """Makes what a decorator of asynchronous functions returns.

    `fn` is the decorated function; `wrapper_fn` takes its place and has to return a future; `name`
    is that of the decorator, for debugging.

    >>> def doubled(fn):
    ...     @asynq(pure=True)
    ...     def wrapper(*args, **kwargs):
    ...         return 2 * (yield fn.asynq(*args, **kwargs))
    ...     return make_async_decorator(fn, wrapper, "doubled")
    >>> @doubled
    ... @asynq()
    ... def successor(x):
    ...     return x + 1
    >>> successor(1)
    4
    """
    return AsyncWrapper(fn, wrapper_fn, name)


def lazy(fn):
    """Makes calls of a function return a `Future` that makes the call once its value is needed.

    >>> @lazy
    ... def shout(word):
    ...     print("working")
    ...     return word.upper()
    >>> future = shout("hey")
    >>> future.value()
    working
    'HEY'
    """

    @functools.wraps(fn)
    def lazy_fn(*args, **kwargs):
        return Future(functools.partial(fn, *args, **kwargs))

    lazy_fn.is_pure_async_fn = _true
    return lazy_fn


def _true():
    return True


def has_async_fn(fn):
    """Whether `fn` has an asynchronous form beside the synchronous one: `fn.asynq`."""
    return hasattr(fn, "asynq") or hasattr(fn, "async")


def is_pure_async_fn(fn):
    """Whether calling `fn` makes a future, as for `@asynq(pure=True)` and `lazy` functions."""
    while not hasattr(fn, "is_pure_async_fn"):
        if not hasattr(fn, "fn"):
            return False
        fn = fn.fn
    try:
        return fn.is_pure_async_fn()
    except (IndexError, TypeError):
        return False  # A class, such as AsyncDecorator itself.


def is_async_fn(fn):
    """Whether `fn` can be called asynchronously, by `fn.asynq()` or, if it is pure, by `fn()`."""
    return has_async_fn(fn) or is_pure_async_fn(fn)


def get_async_fn(fn, wrap_if_none=False):
    """The function that makes futures for `fn`: `fn.asynq`, or `fn` itself if it is pure.

    For a synchronous function it is None or, with `wrap_if_none`, one that calls `fn` at once and
    returns a `ConstFuture`.
    """
    if has_async_fn(fn):
        return get_async_or_sync_fn(fn)
    if is_pure_async_fn(fn):
        return fn
    if not wrap_if_none:
        return None

    def sync_to_async_fn_wrapper(*args, **kwargs):
        return ConstFuture(fn(*args, **kwargs))

    sync_to_async_fn_wrapper.is_pure_async_fn = _true
    return sync_to_async_fn_wrapper


def get_async_or_sync_fn(fn):
    """`fn.asynq` where there is one, otherwise `fn`."""
    if hasattr(fn, "asynq"):
        return fn.asynq
    return getattr(fn, "async", fn)


class AsyncAndSyncPairDecoratorBinder(AsyncDecoratorBinder):
    """An `AsyncAndSyncPairDecorator` as an attribute of an object or a class."""

    sync_fn = None

    def __call__(self, *args, **kwargs):
        if is_asyncio_mode():
            return _call_in_asyncio_mode(self.decorator, args, kwargs, self.sync_fn)
        return self.sync_fn(*args, **kwargs)


class AsyncAndSyncPairDecorator(AsyncDecorator):
    """What `@asynq(sync_fn=...)` makes of a function."""

    binder_cls = AsyncAndSyncPairDecoratorBinder

    def __init__(self, fn, cls, sync_fn, kwargs=None, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, cls, kwargs, asyncio_fn, allow_sync_call)
        if self.type is staticmethod and isinstance(sync_fn, staticmethod):
            sync_fn = sync_fn.__func__
        self.sync_fn = sync_fn

    def __call__(self, *args, **kwargs):
        if is_asyncio_mode():
            return _call_in_asyncio_mode(self, args, kwargs)
        return self.sync_fn(*args, **kwargs)

    def __get__(self, owner, cls=None):
        bound = super().__get__(owner, cls)
        if bound is not self:
            # sync_fn may be any descriptor, so it is bound on its own.
            sync_fn = self.sync_fn
            if hasattr(sync_fn, "__get__"):
                sync_fn = sync_fn.__get__(owner, cls)
            elif owner is not None and self.type is None:
                sync_fn = functools.partial(sync_fn, owner)
            bound.sync_fn = sync_fn
        return bound


class AsyncProxyDecorator(AsyncDecorator):
    """What `@async_proxy()` makes of a function."""

    def __init__(self, fn, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, None, asyncio_fn=asyncio_fn, allow_sync_call=allow_sync_call)

    def asyncio(self, *args, **kwargs):
        """Runs the function on the asyncio event loop, and awaits what it returns."""
        if self.asyncio_fn is None:
            call = convert_asynq_to_async(self.fn)

            async def call_and_await(*args, **kwargs):
                return await resolve_awaitables(await call(*args, **kwargs))

            self.asyncio_fn = call_and_await
        return self.asyncio_fn(*args, **kwargs)

    def _call_pure(self, args, kwargs):
        if is_asyncio_mode():
            return self.asyncio(*args, **kwargs)
        return self.fn(*args, **kwargs)


class AsyncAndSyncPairProxyDecorator(AsyncProxyDecorator):
    """What `@async_proxy(sync_fn=...)` makes of a function."""

    def __init__(self, fn, sync_fn, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, asyncio_fn, allow_sync_call)
        self.sync_fn = sync_fn

    def __call__(self, *args, **kwargs):
        return self.sync_fn(*args, **kwargs)


class AsyncWrapper(DecoratorBase):
    """What `make_async_decorator` makes of a function."""

    binder_cls = AsyncDecoratorBinder

    def __init__(self, fn, wrapper_fn, name):
        super().__init__(fn)
        self.wrapper_fn = wrapper_fn
        self.function_name = name

    def name(self):
        return f"@{self.function_name}()"

    def _call_async(self, args, kwargs):
        return self.wrapper_fn(*args, **kwargs)

    def __call__(self, *args, **kwargs):
        if is_asyncio_mode():
            raise RuntimeError(_sync_call_message(self))
        return self._call_async(args, kwargs).value()

    def asynq(self, *args, **kwargs):
        """Makes the future that `wrapper_fn` returns for these arguments."""
        return self._call_async(args, kwargs)

    async def asyncio(self, *args, **kwargs):
        """Runs `wrapper_fn` on the asyncio event loop."""
        with AsyncioMode():
            return await resolve_awaitables(self._call_async(args, kwargs))

    def is_pure_async_fn(self):
        return False


def _call_in_asyncio_mode(decorator, args, kwargs, call=None):
    """A synchronous call where there should be none. Called by `AsyncDecorator.__call__`, too."""
    message = _sync_call_message(decorator)
    if not decorator.allow_sync_call:
        raise RuntimeError(message)
    _logger.warning(message)
    with NoAsyncioMode():
        return (call or decorator)(*args, **kwargs)


def _sync_call_message(decorator):
    fn = decorator.fn
    while hasattr(fn, "fn"):
        fn = fn.fn
    name = getattr(fn, "__qualname__", repr(fn))
    code = getattr(fn, "__code__", None)
    where = f" ({code.co_filename}, line {code.co_firstlineno})" if code else ""
    return (
        f"asyncio mode does not support synchronous calls: {name}{where}. Yield {name}.asynq(...)"
        f" or await {name}.asyncio(...) instead"
    )


async def asyncio_call(fn, *args, **kwargs):
    """Calls `fn` in asyncio mode, whatever kind of function it is; see `async_call`.

    What a synchronous `fn` returns is the value, also if it is a coroutine.
    """
    if not is_async_fn(fn):
        return fn(*args, **kwargs)
    if hasattr(fn, "asyncio"):
        coroutine = fn.asyncio(*args, **kwargs)
        if isinstance(coroutine, Awaitable):  # Not if fn is a mock, that has every attribute.
            return await coroutine
    with AsyncioMode():
        return await resolve_awaitables(get_async_fn(fn)(*args, **kwargs))


@async_proxy(asyncio_fn=asyncio_call)
def async_call(fn, *args, **kwargs):
    """Calls `fn` asynchronously if it is an asynchronous function, otherwise synchronously.

    For code that is given functions of either kind:

    >>> @asynq()
    ... def apply(fn, x):
    ...     return (yield async_call.asynq(fn, x))
    >>> @asynq()
    ... def square(x):
    ...     return x * x
    >>> apply(square, 3), apply(abs, -3)
    (9, 3)
    """
    if is_pure_async_fn(fn):
        return fn(*args, **kwargs)
    if has_async_fn(fn):
        return get_async_or_sync_fn(fn)(*args, **kwargs)
    return ConstFuture(fn(*args, **kwargs))
