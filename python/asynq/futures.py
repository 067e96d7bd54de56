"""Futures: values that may be resolved later.

An `@asynq()` function can yield every future: tasks, batch items, and the plain futures of this
module.
"""

from . import debug
from ._asynq import ConstFuture, ErrorFuture, Future, FutureBase

__all__ = [
    "ConstFuture",
    "ErrorFuture",
    "Future",
    "FutureBase",
    "FutureIsAlreadyComputed",
    "none_future",
]

__traceback_hide__ = True


class FutureIsAlreadyComputed(Exception):
    """A future that is resolved already was set again. The argument of the error is the future."""

    def __str__(self):
        future = self.args[0] if len(self.args) == 1 else None
        if not isinstance(future, FutureBase) or not future.is_computed():
            return super().__str__()
        if future._error is None:
            outcome = f"value {debug.repr(future._value)}"
        else:
            outcome = f"error {debug.repr(future._error)}"
        name = type(future).__name__
        return f"this {name} already has the {outcome}: a future is set only once"


class _Marker:
    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


#: The `_value` of a pending future.
_none = _Marker("none (futures)")

#: A future whose value is None.
none_future = ConstFuture(None)
