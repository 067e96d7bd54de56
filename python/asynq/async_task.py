"""Tasks. A task runs one call of an `@asynq()` function."""

from ._asynq import AsyncTask, extract_futures, unwrap

__all__ = [
    "MAX_DUMP_INDENT",
    "AsyncTask",
    "AsyncTaskCancelledError",
    "AsyncTaskResult",
    "extract_futures",
    "unwrap",
]

__traceback_hide__ = True

#: Maximum depth of `AsyncTask.dump`, in levels of indentation.
MAX_DUMP_INDENT = 40


class AsyncTaskCancelledError(GeneratorExit):
    """Cancels the task that raises it. Every task that awaits the cancelled one gets this error."""


class AsyncTaskResult(GeneratorExit):
    """Ends the task that raises it, with `result` as its value; see `asynq.result`."""

    def __init__(self, result):
        super().__init__("AsyncTaskResult")
        self.result = result


def _run_plain_function(fn, args, kwargs):
    """A generator that calls a function without `yield`, for task classes that need a generator."""
    return fn(*args, **kwargs)
    yield
