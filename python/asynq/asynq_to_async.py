"""asyncio mode: `@asynq()` functions that run on an asyncio event loop.

`await f.asyncio(x)` runs the body of `f` as a coroutine. Inside that body, `g.asynq(y)` is the same
as `g.asyncio(y)`, and `yield` awaits: awaitables that are yielded together run concurrently. Batch
items cannot be awaited in asyncio mode. A function that creates batch items needs a coroutine
function that replaces it: `@asynq(asyncio_fn=...)`.

>>> import asyncio
>>> from asynq import asynq
>>> async def fetch_async(key):
...     await asyncio.sleep(0)
...     return key.upper()
>>> @asynq(asyncio_fn=fetch_async)
... def fetch(key):
...     raise NotImplementedError("would use a batch")
>>> @asynq()
... def fetch_both(a, b):
...     return (yield fetch.asynq(a), fetch.asynq(b))
>>> asyncio.run(fetch_both.asyncio("x", "y"))
('X', 'Y')

asyncio mode belongs to a context (see `contextvars`), so it does not affect other asyncio tasks or
threads.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Generator

from ._asynq import (
    BatchItemBase,
    Future,
    FutureBase,
    enter_asyncio_mode,
    is_asyncio_mode,
    leave_asyncio_mode,
)
from ._validation import check_callable
from .async_task import AsyncTaskResult

__all__ = ["AsyncioMode", "convert_asynq_to_async", "is_asyncio_mode", "resolve_awaitables"]

__traceback_hide__ = True

_COMPILED_FUNCTION_TYPES = {
    "builtin_function_or_method",
    "cython_function_or_method",
    "method_descriptor",
}


class AsyncioMode:
    """Switches asyncio mode on for a `with` block. `f.asyncio()` does so automatically."""

    _on = True
    _tokens = ()  # More than one if the block is entered again inside itself.

    def __enter__(self):
        self._tokens = (*self._tokens, enter_asyncio_mode(self._on))

    def __exit__(self, exc_type, exc_value, tb):
        # Has no effect in a context other than the one that was entered: the garbage collector may
        # close a coroutine in any context.
        if not self._tokens:
            raise RuntimeError(f"{type(self).__name__} is left, but was not entered")
        *self._tokens, token = self._tokens
        leave_asyncio_mode(token)


class NoAsyncioMode(AsyncioMode):
    """Switches asyncio mode off for a `with` block, so that synchronous calls are allowed in it."""

    _on = False


async def resolve_awaitables(x):
    """Awaits a value that a generator has yielded, and returns the result in the same shape.

    The value is an awaitable, None, or a list, tuple or dictionary of such values. Its awaitables
    run concurrently, and all of them run to their end even if one fails. The first error, in the
    order given, is raised afterwards.

    Raises `RuntimeError` for a batch item, `TypeError` for an object that cannot be awaited, and
    `RecursionError` for a list or dictionary that contains itself.
    """
    return await _resolve(x, ())


async def _resolve(x, containers):
    """Does the work of `resolve_awaitables`. `containers` are the objects that contain `x`."""
    if isinstance(x, Awaitable) and not isinstance(x, FutureBase):
        return await x
    if isinstance(x, BatchItemBase):
        raise RuntimeError(
            f"asynq BatchItem is not supported in asyncio mode, got a {type(x).__name__}: give the"
            " function that creates it an asyncio_fn"
        )
    if isinstance(x, FutureBase):
        if x.is_computed() or isinstance(x, Future):
            return x.value()
        raise TypeError(
            f"a {type(x).__name__} that was created outside of asyncio mode cannot be awaited in"
            " asyncio mode: create it in the function that yields it, with f.asynq(...) or"
            " f.asyncio(...)"
        )
    if x is None:
        return None
    if any(x is container for container in containers):
        raise RecursionError(f"a {type(x).__name__} that contains itself cannot be awaited")
    containers = (*containers, x)
    if isinstance(x, list):
        return await _gather(x, containers)
    if isinstance(x, tuple):
        return tuple(await _gather(x, containers))
    if isinstance(x, dict):
        keys = list(x)  # Copied, because the dict may change while its values are awaited.
        return dict(zip(keys, await _gather(x.values(), containers)))
    raise TypeError(
        f"Unknown structured awaitable type: {type(x)}. Yield awaitables, None, or lists, tuples"
        " and dictionaries of them"
    )


async def _gather(xs, containers):
    if not xs:
        return []
    tasks = [asyncio.ensure_future(_resolve(x, containers)) for x in xs]
    # The errors are read from the tasks, because a value may be an exception, too.
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def convert_asynq_to_async(fn):
    """Returns a coroutine function that runs the function inside an `@asynq()`."""
    check_callable("fn", fn)
    if inspect.isgeneratorfunction(fn):

        @functools.wraps(fn)
        async def wrapped(*args, **kwargs):
            with AsyncioMode():
                return await _drive(fn(*args, **kwargs))

    else:

        @functools.wraps(fn)
        async def wrapped(*args, **kwargs):
            with AsyncioMode():
                try:
                    value = fn(*args, **kwargs)
                except AsyncTaskResult as end:
                    return end.result
                if is_coroutine:
                    return await value
                if is_compiled and isinstance(value, Generator):
                    return await _drive(value)
                return value

        is_coroutine = inspect.iscoroutinefunction(fn)
        # A compiled generator function looks like any other compiled function.
        is_compiled = type(fn).__name__ in _COMPILED_FUNCTION_TYPES

    return wrapped


async def _drive(generator):
    step, argument = generator.send, None
    try:
        while True:
            try:
                yielded = step(argument)
            except StopIteration as end:
                return end.value
            except AsyncTaskResult as end:
                return end.result
            try:
                step, argument = generator.send, await resolve_awaitables(yielded)
            except Exception as error:
                step, argument = generator.throw, error
    finally:
        argument = None  # The traceback of a raised error refers to this frame.
        generator.close()
