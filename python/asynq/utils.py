"""`result`, which ends a function with a value."""

from ._asynq import FutureBase
from .async_task import AsyncTaskResult

__all__ = ["result"]


def result(value):
    """Ends the `@asynq()` function that calls it; `value` is what it returns.

    From the time when generators could not return values. `return value` does the same.

    >>> from asynq import asynq
    >>> @asynq()
    ... def answer():
    ...     yield None
    ...     result(42); return
    >>> answer()
    42

    It works by raising `AsyncTaskResult`, which `except Exception` does not catch. A `value` that
    is a future is an `AssertionError`.
    """
    if isinstance(value, FutureBase):
        raise AssertionError(
            "You probably forgot to yield this value before returning: result() takes the value of"
            f" a future, not {value!r}"
        )
    raise AsyncTaskResult(value)
