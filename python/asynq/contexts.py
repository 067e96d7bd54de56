"""Context managers that are active only while their own task, or a task it awaits, runs.

Tasks take turns. The `with` block of a plain context manager stays open while unrelated tasks run.
The scheduler pauses an `AsyncContext` before it runs an unrelated task, and resumes it afterwards.
"""

from ._asynq import AsyncContext, NonAsyncContext

__all__ = ["AsyncContext", "NonAsyncContext"]
