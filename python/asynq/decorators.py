"""The decorators that make functions asynchronous, and functions that inspect such functions.

A function decorated with `@asynq()` (a generator, coroutine or plain function) can be called in
three ways: `f(x)` runs it and returns its value, `f.asynq(x)` returns a task for another such
function to yield or await, and `await f.asyncio(x)` runs it on an asyncio event loop.
"""

import functools
import inspect
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
    FutureBase,
    PureAsyncDecorator,
    PureAsyncDecoratorBinder,
    call_on_event_loop,
    is_in_asyncio_mode,
)
from ._function_attributes import call_form
from ._inspection import (
    MAX_LAYERS,
    get_async_fn,
    get_async_or_sync_fn,
    has_async_fn,
    is_async_fn,
    is_pure,
    is_pure_async_fn,
)
from ._validation import check_callable, check_flag, check_no_function
from .asynq_to_async import (
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
    """Makes a decorator that turns a function into an asynchronous function.

    In the function, `yield` waits for a future, or for a list, tuple or dictionary of futures. It
    returns the values in the same shape, or raises the error of the first future that failed. In an
    `async def` function, `await` waits for a future, and `await asynq.gather(...)` for several. The
    function may also wait for nothing, and it may be a method, class method or static method.

    >>> @asynq()
    ... def square(x):
    ...     return x * x
    >>> @asynq()
    ... def sum_of_squares(xs):
    ...     return sum((yield [square.asynq(x) for x in xs]))
    >>> sum_of_squares([3, 4])
    25

    - `pure`: if true, calling the function returns the task. The function then has no `.asynq`, and
      cannot be called synchronously.
    - `sync_fn`: function that synchronous calls use instead.
    - `cls`: class of the tasks, a subclass of `AsyncTask`. With `pure`, it gets all further keyword
      arguments.
    - `asyncio_fn`: coroutine function that `.asyncio` uses instead.
    - `allow_sync_call`: if true, a synchronous call may block a running event loop. By default the
      first one that does warns. In the block of an `AsyncioMode`, a synchronous call raises
      `RuntimeError` by default, and otherwise logs a warning.

    Raises `TypeError` if the parentheses are missing or an option has a wrong type, and
    `AssertionError` if the options exclude each other or the function is asynchronous already.
    """
    check_no_function("asynq", pure)
    check_flag("pure", pure)
    check_flag("allow_sync_call", allow_sync_call)
    if kwargs and not pure:
        raise AssertionError("custom kwargs are only supported with pure=True")
    if pure and sync_fn is not None:
        raise AssertionError("sync_fn is not supported for pure async functions")
    if not callable(cls) or (isinstance(cls, type) and not issubclass(cls, FutureBase)):
        name = getattr(cls, "__qualname__", repr(cls))
        raise TypeError(f"cls must be a subclass of AsyncTask, got {name}")
    _check_substitutes(sync_fn, asyncio_fn)

    def decorate(fn):
        if is_async_fn(fn):
            raise AssertionError("@asynq() decorator can be applied just once")
        check_callable("the argument of @asynq()", fn)
        if pure:
            return PureAsyncDecorator(fn, cls, kwargs, asyncio_fn)
        if sync_fn is None:
            return AsyncDecorator(fn, cls, kwargs, asyncio_fn, allow_sync_call)
        return AsyncAndSyncPairDecorator(fn, cls, sync_fn, kwargs, asyncio_fn, allow_sync_call)

    return decorate


def async_proxy(pure=False, sync_fn=None, asyncio_fn=None, allow_sync_call=False):
    """Makes a decorator for functions that return a future.

    The decorated function looks like one with `@asynq()`, but its calls create no task:
    `f.asynq(x)` returns the future that the function returns. The parameters are the same as for
    `asynq`; with `pure` the decorator returns the function unchanged.

    >>> @asynq()
    ... def greet(name):
    ...     return "hello " + name
    >>> @async_proxy()
    ... def greet_world():
    ...     return greet.asynq("world")
    >>> greet_world()
    'hello world'
    """
    check_no_function("async_proxy", pure)
    check_flag("pure", pure)
    check_flag("allow_sync_call", allow_sync_call)
    if sync_fn is not None and pure:
        raise AssertionError("sync_fn=? cannot be used together with pure=True")
    _check_substitutes(sync_fn, asyncio_fn)

    def decorate(fn):
        check_callable("the argument of @async_proxy()", fn)
        if inspect.iscoroutinefunction(fn):
            raise TypeError(
                f"{getattr(fn, '__qualname__', fn)} is a coroutine function, and returns no future:"
                " decorate it with @asynq() instead of @async_proxy()"
            )
        if pure:
            return fn
        if sync_fn is None:
            return AsyncProxyDecorator(fn, asyncio_fn, allow_sync_call)
        return AsyncAndSyncPairProxyDecorator(fn, sync_fn, asyncio_fn, allow_sync_call)

    return decorate


def _check_substitutes(sync_fn, asyncio_fn):
    if sync_fn is not None:
        check_callable("sync_fn", sync_fn)
    if asyncio_fn is not None:
        check_callable("asyncio_fn", asyncio_fn)


def make_async_decorator(fn, wrapper_fn, name):
    """Returns an asynchronous function that replaces `fn`, for use in a decorator.

    `fn` is the decorated function, `wrapper_fn` is called instead of it and must return a future,
    and `name` is the name of the decorator, for debugging.

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
    check_callable("fn", fn)
    check_callable("wrapper_fn", wrapper_fn)
    return AsyncWrapper(fn, wrapper_fn, name)


def lazy(fn):
    """Makes a function lazy: a call returns a `Future`, which calls the function on first use.

    >>> @lazy
    ... def shout(word):
    ...     print("working")
    ...     return word.upper()
    >>> future = shout("hey")
    >>> future.value()
    working
    'HEY'
    """

    check_callable("the argument of @lazy", fn)

    @functools.wraps(fn)
    def lazy_fn(*args, **kwargs):
        return Future(functools.partial(fn, *args, **kwargs))

    lazy_fn.is_pure_async_fn = is_pure
    return lazy_fn


def _raise_missing(decorator, name):
    """Serves as `__getattr__` of decorators with attributes that `__init__` sets."""
    if not name.startswith("__"):
        decorator.fn  # noqa: B018, raises a TypeError if __init__() was not called.
    raise AttributeError(f"{type(decorator).__name__!r} object has no attribute {name!r}")


class AsyncAndSyncPairDecoratorBinder(AsyncDecoratorBinder):
    """An `AsyncAndSyncPairDecorator`, bound to an object or a class."""

    sync_fn = None

    def __call__(self, /, *args, **kwargs):
        if self.sync_fn is None:  # The binder was not made by `__get__` of the decorator.
            return super().__call__(*args, **kwargs)
        if is_in_asyncio_mode():
            return _call_in_asyncio_mode(self.decorator, args, kwargs, self.sync_fn)
        return self.sync_fn(*args, **kwargs)


class AsyncAndSyncPairDecorator(AsyncDecorator):
    """A function decorated with `@asynq(sync_fn=...)`."""

    binder_cls = AsyncAndSyncPairDecoratorBinder
    __getattr__ = _raise_missing

    def __init__(self, fn, cls, sync_fn, kwargs=None, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, cls, kwargs, asyncio_fn, allow_sync_call)
        if self.type is staticmethod and isinstance(sync_fn, staticmethod):
            sync_fn = sync_fn.__func__
        self.sync_fn = sync_fn

    def __call__(self, /, *args, **kwargs):
        if is_in_asyncio_mode():
            return _call_in_asyncio_mode(self, args, kwargs)
        return self.sync_fn(*args, **kwargs)

    def __get__(self, owner, cls=None):
        bound = super().__get__(owner, cls)
        if bound is not self:
            # sync_fn may be any descriptor, so it is bound separately.
            sync_fn = self.sync_fn
            if hasattr(sync_fn, "__get__"):
                sync_fn = sync_fn.__get__(owner, cls)
            elif owner is not None and self.type is None:
                sync_fn = functools.partial(sync_fn, owner)
            bound.sync_fn = sync_fn
        return bound


class AsyncProxyDecorator(AsyncDecorator):
    """A function decorated with `@async_proxy()`."""

    def __init__(self, fn, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, None, asyncio_fn=asyncio_fn, allow_sync_call=allow_sync_call)

    def asyncio(self, /, *args, **kwargs):
        """Calls the function, and awaits its future on the asyncio event loop."""
        if self.asyncio_fn is not None:
            return self.asyncio_fn(*args, **kwargs)
        return call_on_event_loop(self.fn(*args, **kwargs))

    asyncio = call_form(asyncio, is_async=True)

    def _call_pure(self, args, kwargs):
        if is_in_asyncio_mode() or (self.asyncio_fn is not None and is_asyncio_mode()):
            return type(self).asyncio(self, *args, **kwargs)
        return self.fn(*args, **kwargs)


class AsyncAndSyncPairProxyDecorator(AsyncProxyDecorator):
    """A function decorated with `@async_proxy(sync_fn=...)`."""

    __getattr__ = _raise_missing

    def __init__(self, fn, sync_fn, asyncio_fn=None, allow_sync_call=False):
        super().__init__(fn, asyncio_fn, allow_sync_call)
        self.sync_fn = sync_fn

    def __call__(self, /, *args, **kwargs):
        return self.sync_fn(*args, **kwargs)


class AsyncWrapper(DecoratorBase):
    """A function decorated with a decorator that uses `make_async_decorator`."""

    binder_cls = AsyncDecoratorBinder
    __getattr__ = _raise_missing

    def __init__(self, fn, wrapper_fn, name):
        super().__init__(fn)
        self.wrapper_fn = wrapper_fn
        self.function_name = name

    def name(self):
        return f"@{self.function_name}()"

    def _call_async(self, args, kwargs):
        return self.wrapper_fn(*args, **kwargs)

    def __call__(self, /, *args, **kwargs):
        if is_in_asyncio_mode():
            raise RuntimeError(_sync_call_message(self))
        future = self._call_async(args, kwargs)
        if not hasattr(future, "value"):
            raise TypeError(f"the wrapper of {self.name()} must return a future, got {future!r}")
        return future.value()

    @call_form
    def asynq(self, /, *args, **kwargs):
        """Calls `wrapper_fn`, and returns its future."""
        return self._call_async(args, kwargs)

    def asyncio(self, /, *args, **kwargs):
        """Runs `wrapper_fn` on the asyncio event loop."""
        return call_on_event_loop(self._call_async(args, kwargs))

    asyncio = call_form(asyncio, is_async=True)

    def is_pure_async_fn(self):
        return False


def _call_in_asyncio_mode(decorator, args, kwargs, call=None):
    """Makes a synchronous call in asyncio mode. `AsyncDecorator.__call__` calls this, too.

    Raises `RuntimeError`, or logs a warning if the decorator has `allow_sync_call`.
    """
    message = _sync_call_message(decorator)
    if not decorator.allow_sync_call:
        raise RuntimeError(message)
    _logger.warning(message)
    with NoAsyncioMode():
        return (call or decorator)(*args, **kwargs)


def _sync_call_message(decorator):
    fn = decorator.fn
    for _ in range(MAX_LAYERS):
        if not hasattr(fn, "fn"):
            break
        fn = fn.fn
    name = getattr(fn, "__qualname__", repr(fn))
    code = getattr(fn, "__code__", None)
    where = f" ({code.co_filename}, line {code.co_firstlineno})" if code else ""
    return (
        f"asyncio mode does not support synchronous calls: {name}{where}. Yield {name}.asynq(...)"
        f" or await {name}.asyncio(...) instead"
    )


async def asyncio_call(fn, *args, **kwargs):
    """Calls any function in asyncio mode; see `async_call`.

    If `fn` is synchronous, its result is the value, even if that is a coroutine.
    """
    if not is_async_fn(fn):
        return fn(*args, **kwargs)
    if hasattr(fn, "asyncio"):
        coroutine = fn.asyncio(*args, **kwargs)
        if isinstance(
            coroutine, Awaitable
        ):  # A mock has every attribute, but returns no coroutine.
            return await coroutine
    return await resolve_awaitables(get_async_fn(fn)(*args, **kwargs))


@async_proxy(asyncio_fn=asyncio_call)
def async_call(fn, *args, **kwargs):
    """Calls `fn` asynchronously if it is an asynchronous function, otherwise synchronously.

    Use it in code that accepts functions of both kinds:

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
