"""The context of the code that submits a function to another thread or to an event loop."""

import asyncio
import contextvars
import types

from .._asynq import call_for, get_active_task
from .running_function import running_function

__traceback_hide__ = True


class CallerContext:
    """The asynq stack and context variables, with scoped values, of the code that creates it.

    User functions run in it on a worker thread or on an event loop, so they see the same values
    there as their caller. `function` is the `RunningFunction` that this is for, if any.
    """

    def __init__(self, function=None):
        self.task = get_active_task()
        self.context = contextvars.copy_context()
        if function is not None:
            self.context.run(running_function.set, function)

    def run(self, function, *args):
        """Calls a function in this context, and returns its result."""
        return self.context.run(call_for, self.task, function, *args)

    @types.coroutine
    def drive(self, coroutine):
        """Runs each step of a coroutine on top of the asynq stack of this context."""
        step, argument = coroutine.send, None
        while True:
            try:
                awaited = call_for(self.task, step, argument)
            except StopIteration as end:
                return end.value
            try:
                step, argument = coroutine.send, (yield awaited)
            except GeneratorExit:
                call_for(self.task, coroutine.close)
                raise
            except BaseException as error:
                step, argument = coroutine.throw, error

    def start(self, coroutine):
        """Starts a coroutine in this context on the running event loop. Returns its task."""
        return self.context.run(asyncio.ensure_future, self.drive(coroutine))
