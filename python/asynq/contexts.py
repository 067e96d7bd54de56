"""Context managers that are active only while their own task, or a task it awaits, runs.

Tasks take turns. The `with` block of a plain context manager stays open while unrelated tasks run.
The scheduler pauses an `AsyncContext` before it runs an unrelated task, and resumes it afterwards.

In an `async def` function, `with context:` and `async with context:` do the same.
"""

from ._asynq import AsyncContext, NonAsyncContext

__all__ = ["AsyncContext", "NonAsyncContext"]

__traceback_hide__ = True


async def _enter(self):
    """Enters the context for an `async with` block."""
    return self.__enter__()


async def _exit(self, exc_type, exc_value, tb):
    """Leaves the context after an `async with` block."""
    return self.__exit__(exc_type, exc_value, tb)


for _class in (AsyncContext, NonAsyncContext):
    _class.__aenter__, _class.__aexit__ = _enter, _exit
