"""The current task of asyncio while the coroutine of one of our tasks runs on an event loop."""

from ._asynq import cancel_on_event_loop

__traceback_hide__ = True


class LoopTask:
    """A task of ours as `asyncio.current_task()` returns it.

    `asyncio.timeout()`, `asyncio.TaskGroup` and the cancel scopes of anyio cancel it. The extension
    makes it when a coroutine first runs on an event loop.
    """

    # Attributes that anyio reads: it has asked for no cancellation that is still to come, and waits
    # for no future of asyncio itself.
    _must_cancel = False
    _fut_waiter = None

    def __init__(self, task, loop):
        self._task = task
        self._loop = loop
        self._cancelling = 0
        self._name = None

    def cancel(self, msg=None):
        """Cancels the task, and whatever it waits for and nobody else does."""
        if self.done():
            return False
        self._cancelling += 1
        return cancel_on_event_loop(self._task, msg)

    def cancelling(self):
        """Returns the number of cancellations that were not undone."""
        return self._cancelling

    def uncancel(self):
        """Undoes one cancellation. Returns the number of those that are left."""
        self._cancelling = max(self._cancelling - 1, 0)
        return self._cancelling

    def done(self):
        """Returns whether the task has ended."""
        return self._task.is_computed()

    def cancelled(self):
        """Returns whether the task was cancelled. Its caller gets the error."""
        return False

    def result(self):
        """Returns the value of a task that has ended, or raises its error."""
        return self._task.value()

    def exception(self):
        """Returns the error of a task that has ended, or None."""
        return self._task.error()

    def add_done_callback(self, fn, *, context=None):
        """Calls `fn(self)` when the task has ended."""
        self._task.on_computed.subscribe(lambda _: self._loop.call_soon(fn, self, context=context))

    def get_loop(self):
        """Returns the event loop that runs the task."""
        return self._loop

    def get_coro(self):
        """Returns the coroutine of the task."""
        return self._task._generator

    def get_name(self):
        """Returns the name of the task."""
        return self._name or self._task.to_str()

    def set_name(self, value):
        """Names the task."""
        self._name = str(value)

    def __repr__(self):
        return f"<LoopTask of {self._task!r}>"
