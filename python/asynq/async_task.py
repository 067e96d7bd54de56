"""Tasks: one call of an `@asynq()` function each."""

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

#: `AsyncTask.dump` goes this many levels deep.
MAX_DUMP_INDENT = 40


class AsyncTaskCancelledError(GeneratorExit):
    """Raised in a task, it cancels the task: whoever waits for it gets this error."""


class AsyncTaskResult(GeneratorExit):
    """Raised in a task, it ends the task with `result` as its value; see `asynq.result`."""

    def __init__(self, result):
        super().__init__("AsyncTaskResult")
        self.result = result
