"""`@asynq()` functions on an asyncio event loop.

`f.asyncio(x)` begins a call of `f` on the running event loop, and returns an awaitable. The call is
a task of the scheduler of that loop, so everything works there as it does on a thread: `yield`
waits for futures and batch items, and a batch is flushed when nothing else on the loop can run. A
task on a loop may also yield anything that asyncio can await.

>>> import asyncio
>>> from asynq import asynq
>>> @asynq()
... def fetch(key):
...     yield asyncio.sleep(0)
...     return key.upper()
>>> @asynq()
... def fetch_both(a, b):
...     return (yield fetch.asynq(a), fetch.asynq(b))
>>> asyncio.run(fetch_both.asyncio("x", "y"))
('X', 'Y')

`@asynq(asyncio_fn=...)` names a coroutine function that runs instead of the function on event
loops.
"""

import functools

from ._asynq import (
    AsyncDecorator,
    AsyncTask,
    enter_asyncio_mode,
    is_asyncio_mode,
    leave_asyncio_mode,
)
from ._validation import check_callable

__all__ = ["AsyncioMode", "convert_asynq_to_async", "is_asyncio_mode", "resolve_awaitables"]

__traceback_hide__ = True


class AsyncioMode:
    """Switches asyncio mode on for a `with` block: in it, `f.asynq(...)` is `f.asyncio(...)`.

    A synchronous call in the block raises `RuntimeError`, unless the function has
    `allow_sync_call`. Tasks on an event loop need no such block.
    """

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
    """Awaits a value that a generator could yield, and returns the result in the same shape.

    The value is a future, something that asyncio can await, None, or a list, tuple or dictionary of
    such values. They run concurrently, and all of them run to their end even if one fails. The
    first error, in the order given, is raised afterwards.

    Raises `TypeError` for an object that cannot be awaited, and `RecursionError` for a list or
    dictionary that contains itself.
    """
    return await _resolve.asyncio(x)


def _yield(x):
    return (yield x)


_resolve = AsyncDecorator(_yield, AsyncTask)


def convert_asynq_to_async(fn):
    """Returns a coroutine function that runs the function inside an `@asynq()`."""
    check_callable("fn", fn)
    decorated = AsyncDecorator(fn, AsyncTask)

    @functools.wraps(fn)
    async def wrapped(*args, **kwargs):
        return await decorated.asyncio(*args, **kwargs)

    return wrapped
