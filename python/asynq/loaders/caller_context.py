"""The context of user code that a loader calls, in any thread."""

import asyncio
import sys
import types

from .._asynq import call_for, get_active_task
from .request_scope import request
from .running_function import running_function

__traceback_hide__ = True

HAS_EAGER_TASKS = sys.version_info >= (3, 12)


def definition_context(loader, function=None, caller=None):
    """Returns the context variables, with scoped values, for one call of a batch function.

    They are those of the place where the loader was defined, apart from what the loader is `per`. A
    batch may be for several callers, and its function sees the variables of none of them. What it
    loads itself belongs to the `asynq.request` of the batch. `function` is the `RunningFunction`
    that the call is, or else a part of that in which code runs. `caller` is the context of those
    who ask, if the loader sees it.
    """
    context = (loader._context if caller is None else caller).copy()
    for restore in loader._restorers:
        context.run(restore)
    if loader._request is not None:
        # A request that has ended is empty, and only this call is in it.
        context.run((loader._request() or request()).resume)
    context.run(running_function.set, function or running_function.get())
    return context


class CallerContext:
    """The context in which one call of a batch function runs in another thread or coroutine.

    The asynq stack is that of `task`, or of the code that creates it.
    """

    def __init__(self, loader, function=None, task=None, caller=None):
        self.task = get_active_task() if task is None else task
        self.context = definition_context(loader, function, caller)

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

    async def _drive_all(self, coroutine):
        return await self.drive(coroutine)

    def start(self, coroutine, is_eager=False):
        """Starts a coroutine in this context on the running event loop. Returns its task.

        An eager task takes its first step at once, on CPython 3.12 or newer, unless another task
        runs or the loop has a task factory.
        """
        loop = asyncio.get_running_loop()
        whole = coroutine if self.task is None else self._drive_all(coroutine)
        if is_eager and HAS_EAGER_TASKS and not (loop.get_task_factory() or asyncio.current_task()):
            task = asyncio.Task(whole, loop=loop, context=self.context, eager_start=True)
        else:
            task = self.context.run(loop.create_task, whole)
        if self.task is None:
            return task
        # It may be cancelled before its first step.
        task.add_done_callback(lambda _: coroutine.close())
        return task
