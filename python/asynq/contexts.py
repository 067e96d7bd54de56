"""Contexts that are active exactly while the code inside them runs.

Tasks take turns. A `with` block of a plain context manager would stay open while other tasks run;
an `AsyncContext` is paused then, and resumed when its task, or what that task waits for, goes on.
"""

from ._asynq import AsyncContext, NonAsyncContext

__all__ = ["AsyncContext", "NonAsyncContext"]
