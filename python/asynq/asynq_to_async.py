"""asyncio mode: `@asynq()` functions that run on an asyncio event loop.

`await f.asyncio(x)` runs the body of `f` as a coroutine. Inside, `g.asynq(y)` is `g.asyncio(y)`,
and `yield` awaits: everything yielded together runs concurrently. Batches don't exist there; a
function that uses one says by `@asynq(asyncio_fn=...)` which coroutine function takes its place.

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

The mode belongs to a context (see `contextvars`): other asyncio tasks and threads are not in it.
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
from .async_task import AsyncTaskResult

__all__ = ["AsyncioMode", "convert_asynq_to_async", "is_asyncio_mode", "resolve_awaitables"]

__traceback_hide__ = True

_COMPILED_FUNCTION_TYPES = {
    "builtin_function_or_method",
    "cython_function_or_method",
    "method_descriptor",
}


class AsyncioMode:
    """Switches asyncio mode on for a `with` block. `f.asyncio()` does so by itself."""

    _on = True

    def __init__(self):
        self._tokens = []

    def __enter__(self):
        self._tokens.append(enter_asyncio_mode(self._on))

    def __exit__(self, exc_type, exc_value, tb):
        # Does nothing in another context than the one that was entered: a coroutine may be closed
        # by the garbage collector, wherever that happens to run.
        leave_asyncio_mode(self._tokens.pop())


class NoAsyncioMode(AsyncioMode):
    """Switches asyncio mode off for a `with` block, to call synchronously from inside it."""

    _on = False


async def resolve_awaitables(x):
    """Awaits what a generator has yielded: awaitables in lists, tuples and dictionaries.

    They run concurrently, to their end also if some fail; the error of the first that failed, in
    the order given, is then raised.

    Raises `RuntimeError` for a batch item, `TypeError` for what can't be awaited.
    """
    if isinstance(x, Awaitable):
        return await x
    if isinstance(x, BatchItemBase):
        raise RuntimeError(
            "asynq BatchItem is not supported in asyncio mode: give the function that makes"
            f" {type(x).__name__} an asyncio_fn"
        )
    if isinstance(x, FutureBase):
        if x.is_computed() or isinstance(x, Future):
            return x.value()
        raise TypeError(
            f"{x!r} cannot be awaited in asyncio mode: it was made outside of it. Make it in the"
            " function that yields it, with f.asynq(...) or f.asyncio(...)"
        )
    if isinstance(x, list):
        return await _gather(x)
    if isinstance(x, tuple):
        return tuple(await _gather(x))
    if isinstance(x, dict):
        return dict(zip(x, await _gather(x.values())))
    if x is None:
        return None
    raise TypeError(
        f"Unknown structured awaitable type: {type(x)}. Yield awaitables, None, or lists, tuples"
        " and dictionaries of them"
    )


async def _gather(xs):
    if not xs:
        return []
    tasks = [asyncio.ensure_future(resolve_awaitables(x)) for x in xs]
    # The errors are taken from the tasks, as a value may be an exception, too.
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def convert_asynq_to_async(fn):
    """Makes a coroutine function of the function inside an `@asynq()`: what `.asyncio` calls."""
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
                if is_compiled and isinstance(value, Generator):
                    return await _drive(value)
                return value

        # Compiled generator functions can't be told from other compiled functions.
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
        argument = None  # An error that is raised holds this frame.
        generator.close()
