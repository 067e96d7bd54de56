"""Functions that inspect async functions: their kind, and their asynchronous form."""

import inspect

from ._asynq import ConstFuture
from ._validation import check_callable

__traceback_hide__ = True

#: Maximum number of decorators around a function. An object whose attribute `fn` is itself, and a
#: mock, have no innermost function.
MAX_LAYERS = 1000


def is_pure():
    """Attribute `is_pure_async_fn` of functions that return futures."""
    return True


def makes_generator(fn):
    """Returns whether a call of `fn` returns a generator or a coroutine.

    Raises `TypeError` for an async generator function, which has no value.
    """
    if inspect.isasyncgenfunction(fn):
        name = getattr(fn, "__qualname__", repr(fn))
        raise TypeError(
            f"{name} is an async generator function: decorate it with @async_generator() instead of"
            " @asynq(), or remove its yield"
        )
    return inspect.isgeneratorfunction(fn) or is_coroutine_function(fn)


def is_coroutine_function(fn):
    """Returns whether a call of `fn` returns a coroutine.

    It is an `async def` function, or an object whose `__call__` is one.
    """
    if inspect.iscoroutinefunction(fn):
        return True
    return not isinstance(fn, type) and inspect.iscoroutinefunction(type(fn).__call__)


def has_async_fn(fn):
    """Returns whether `fn` can be called both synchronously and by `fn.asynq()`."""
    return hasattr(fn, "asynq") or hasattr(fn, "async")


def is_pure_async_fn(fn):
    """Returns whether calling `fn` returns a future, as with `@asynq(pure=True)` and `lazy`."""
    for _ in range(MAX_LAYERS):
        if hasattr(fn, "is_pure_async_fn"):
            break
        if not hasattr(fn, "fn"):
            return False
        fn = fn.fn
    else:
        return False
    try:
        return fn.is_pure_async_fn()
    except (IndexError, TypeError):
        return False  # A class, such as AsyncDecorator itself.


def is_async_fn(fn):
    """Returns whether `fn` can be called asynchronously: by `fn.asynq()`, or by `fn()` if pure."""
    return has_async_fn(fn) or is_pure_async_fn(fn)


def get_async_fn(fn, wrap_if_none=False):
    """Returns the function that creates futures for `fn`: `fn.asynq`, or `fn` itself if it is pure.

    For a synchronous function, returns None. With `wrap_if_none`, returns a function that calls
    `fn` immediately and returns a `ConstFuture`.
    """
    if has_async_fn(fn):
        return get_async_or_sync_fn(fn)
    if is_pure_async_fn(fn):
        return fn
    if not wrap_if_none:
        return None
    check_callable("fn", fn)

    def sync_to_async_fn_wrapper(*args, **kwargs):
        return ConstFuture(fn(*args, **kwargs))

    sync_to_async_fn_wrapper.is_pure_async_fn = is_pure
    return sync_to_async_fn_wrapper


def get_async_or_sync_fn(fn):
    """Returns `fn.asynq` if it exists, otherwise `fn`."""
    if hasattr(fn, "asynq"):
        return fn.asynq
    return getattr(fn, "async", fn)
