"""`result`, which ends an asynchronous function with a value."""

from ._asynq import FutureBase
from .async_task import AsyncTaskResult

__all__ = ["result"]


def result(value):
    """Ends the `@asynq()` function that calls it, with `value` as its result.

    The same as `return value`, for code from the time when generators could not return values.

    >>> from asynq import asynq
    >>> @asynq()
    ... def answer():
    ...     yield None
    ...     result(42); return
    >>> answer()
    42

    It raises `AsyncTaskResult`, which `except Exception` does not catch. Raises `AssertionError` if
    `value` is a future.
    """
    if isinstance(value, FutureBase):
        raise AssertionError(
            "You probably forgot to yield this value before returning: result() takes the value of"
            f" a future, got a {type(value).__name__}"
        )
    raise AsyncTaskResult(value)
