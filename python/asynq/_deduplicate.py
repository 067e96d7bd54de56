"""`deduplicate`, which lets equal concurrent calls share one task."""

import contextlib
import functools

from ._argument_key import argument_key
from ._asynq import (
    AsyncDecorator,
    AsyncDecoratorBinder,
    AsyncTask,
    FutureBase,
    call_on_event_loop,
)
from ._forgotten import may_be_dropped
from ._function_attributes import call_form
from ._inspection import is_async_fn
from ._scheduler_local import SchedulerLocal
from ._scopes import current_request
from ._validation import check_async_fn, check_callable, check_no_function
from ._vary_on import VaryOn
from .decorators import asynq


def deduplicate(keygetter=None, *, vary_on=()):
    """Makes a decorator that lets equal calls which are pending at the same time share one task.

    >>> from asynq import AsyncScopedValue, asynq
    >>> @deduplicate()
    ... @asynq()
    ... def profile(user):
    ...     print("loading", user)
    ...     return user.upper()
    >>> @asynq()
    ... def page():
    ...     return (yield profile.asynq("ann"), profile.asynq("ann"))
    >>> page()
    loading ann
    ('ANN', 'ANN')

    It prevents a stampede: if many tasks need a value that is not cached yet, only one of them
    computes it.

    `keygetter(args, kwargs)` returns the key of a call; calls with equal keys are equal. By default
    all arguments are part of the key, and it makes no difference if they are given by position, by
    name or by default.

    The shared task runs under the contexts of the task that awaits it first, for all of them. If
    the function depends on who asks, name the scoped values or context variables that say so in
    `vary_on`: their values are part of the key, and the shared task sees the values of its callers.

    >>> user = AsyncScopedValue("nobody")
    >>> @deduplicate(vary_on=user)
    ... @asynq()
    ... def document(id):
    ...     return f"document {id} for {user.get()}"

    `function.dirty(*args, **kwargs)` makes the next call with these arguments start a new task. Use
    it in a function that calls itself with its own arguments, and would otherwise wait for itself.
    A call that is made while the body of the shared task runs always gets a new task. Synchronous
    calls never share a task, nor do calls in different `asynq.request` blocks.
    """

    if keygetter is not None:
        if is_async_fn(keygetter):
            check_no_function("deduplicate", keygetter)
        check_callable("keygetter", keygetter)
    vary_on = VaryOn(vary_on)

    def decorator(fn):
        check_async_fn("the argument of @deduplicate()", fn)
        key = argument_key(fn) if keygetter is None else keygetter
        return DeduplicateDecorator(fn, getattr(fn, "task_cls", None), key, vary_on=vary_on)

    return decorator


class DeduplicateDecoratorBinder(AsyncDecoratorBinder):
    """A function decorated with `deduplicate`, bound to an object or a class."""

    def dirty(self, /, *args, **kwargs):
        """Makes the next call with these arguments start a task of its own."""
        if self.instance is not None:
            args = (self.instance, *args)
        self.decorator.dirty(*args, **kwargs)


class DeduplicateDecorator(AsyncDecorator):
    """A function decorated with `deduplicate`."""

    binder_cls = DeduplicateDecoratorBinder

    def __init__(self, fn, task_cls, keygetter, *, vary_on=()):
        super().__init__(fn, task_cls)
        self.keygetter = keygetter
        self._vary_on = vary_on if isinstance(vary_on, VaryOn) else VaryOn(vary_on)
        self._pending = SchedulerLocal(dict)

    @property
    def tasks(self):
        """The pending tasks of this thread, greenlet or event loop, by the keys of their calls."""
        return self._pending.get()

    def cache_key(self, args, kwargs):
        """Returns the key of a call; calls with equal keys share a task."""
        key = self._vary_on.key(self.keygetter(args, kwargs))
        request = current_request()
        return key if request is None else (request, key)

    def __call__(self, /, *args, **kwargs):
        return self.fn(*args, **kwargs)

    def asyncio(self, /, *args, **kwargs):
        """Awaits the pending task of an equal call on the asyncio event loop, or a new task."""
        return call_on_event_loop(type(self).asynq(self, *args, **kwargs))

    asyncio = call_form(asyncio, is_async=True)

    @call_form
    def asynq(self, /, *args, **kwargs):
        """Returns the pending task of an equal call, or a new task if there is none."""
        key = self.cache_key(args, kwargs)
        tasks = self._pending.get()
        task = tasks.get(key)
        if task is None:
            task = self.fn.asynq(*args, **kwargs)
            if not isinstance(task, FutureBase):
                raise TypeError(f"{self.fn} must return a future, got {task!r}")
            if self._vary_on and not task.is_computed():
                task = _pin(self._vary_on, task)
            if not task.is_computed():
                tasks[key] = task
                task.on_computed.subscribe(functools.partial(_forget, tasks, key))
        elif getattr(task.body if isinstance(task, _PinnedTask) else task, "running", False):
            # The task itself makes this call, and cannot wait for itself.
            return self.fn.asynq(*args, **kwargs)
        return task

    def dirty(self, /, *args, **kwargs):
        """Makes the next call with these arguments start a task of its own."""
        self.tasks.pop(self.cache_key(args, kwargs), None)


class _PinnedTask(AsyncTask):
    """A shared task whose `body`, another task, sees the values that its callers saw."""

    body = None


def _pin(vary_on, body):
    # Whoever awaits the task first may see other values: a task may be created outside of a `with`
    # block and awaited inside.
    task = _run_pinned.asynq(vary_on.overrides(vary_on.values()), body)
    task.body = body
    return task


@asynq(cls=_PinnedTask)
@may_be_dropped
def _run_pinned(overrides, body):
    with contextlib.ExitStack() as stack:
        for override in overrides:
            stack.enter_context(override)
        return (yield body)


def _forget(tasks, key, task):
    if tasks.get(key) is task:
        del tasks[key]
