"""`deduplicate`: equal calls that are under way at the same time share a task."""

import functools
import threading

from ._asynq import AsyncDecorator, AsyncDecoratorBinder
from ._cache import argument_key
from .asynq_to_async import is_asyncio_mode


def deduplicate(keygetter=None):
    """Lets equal calls that are under way at the same time share one task.

    >>> from asynq import asynq
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

    Where many tasks need the same thing, that may still be missing in a cache, it is this that
    keeps them from all computing it.

    `keygetter(args, kwargs)` makes the key of a call; calls with equal keys are equal. By default
    all arguments count, and it does not matter whether they are given by position, by name or by
    default.

    `dirty`, called with the same arguments, makes the next call start a task of its own: necessary
    where a function calls itself with its own arguments, and would wait for itself. A call made
    while the body of the shared task runs gets a task of its own anyway, and synchronous calls
    never share.
    """

    def decorator(fn):
        key = argument_key(fn) if keygetter is None else keygetter
        return DeduplicateDecorator(fn, getattr(fn, "task_cls", None), key)

    return decorator


class DeduplicateDecoratorBinder(AsyncDecoratorBinder):
    """A `deduplicate`d function as an attribute of an object or a class."""

    def dirty(self, *args, **kwargs):
        """Makes the next call with these arguments start a task of its own."""
        if self.instance is not None:
            args = (self.instance, *args)
        self.decorator.dirty(*args, **kwargs)


class DeduplicateDecorator(AsyncDecorator):
    """What `deduplicate` makes of a function."""

    binder_cls = DeduplicateDecoratorBinder

    def __init__(self, fn, task_cls, keygetter):
        super().__init__(fn, task_cls)
        self.keygetter = keygetter
        self._under_way = _UnderWay()

    @property
    def tasks(self):
        """The tasks of this thread that are under way, by the keys of their calls."""
        return self._under_way.tasks

    def cache_key(self, args, kwargs):
        """The key of a call; calls with equal keys share a task."""
        return self.keygetter(args, kwargs)

    def __call__(self, *args, **kwargs):
        return self.fn(*args, **kwargs)

    def asyncio(self, *args, **kwargs):
        """Runs the function on the asyncio event loop. Such calls don't share."""
        return self.fn.asyncio(*args, **kwargs)

    def asynq(self, *args, **kwargs):
        """The task of an equal call that is under way or, where there is none, a new task."""
        if is_asyncio_mode():
            return self.fn.asyncio(*args, **kwargs)
        key = self.cache_key(args, kwargs)
        tasks = self._under_way.tasks
        task = tasks.get(key)
        if task is None:
            task = self.fn.asynq(*args, **kwargs)
            if not task.is_computed():
                tasks[key] = task
                task.on_computed.subscribe(functools.partial(_forget, tasks, key))
        elif getattr(task, "running", False):
            # The call comes from inside the task, which can't wait for itself.
            return self.fn.asynq(*args, **kwargs)
        return task

    def dirty(self, *args, **kwargs):
        """Makes the next call with these arguments start a task of its own."""
        self.tasks.pop(self.cache_key(args, kwargs), None)


class _UnderWay(threading.local):
    """The tasks of a function that are not computed yet, by key: those of each thread apart."""

    def __init__(self):
        self.tasks = {}


def _forget(tasks, key, task):
    if tasks.get(key) is task:
        del tasks[key]
