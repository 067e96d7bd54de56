"""Futures: values that may be computed later.

Everything that can be yielded in an `@asynq()` function is a future: tasks, batch items, and the
plain ones here.
"""

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
    """A future was given a value or an error, but has one already. Its argument is the future."""

    def __str__(self):
        if len(self.args) == 1 and isinstance(self.args[0], FutureBase):
            return f"{self.args[0]!r} has a value already: a future is set only once"
        return super().__str__()


class _Marker:
    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


#: What `_value` is as long as a future is not computed.
_none = _Marker("none (futures)")

#: A future whose value is `None`.
none_future = ConstFuture(None)
