"""Values that differ from task to task.

If a task overrides a value, the override is visible in that task and in the tasks that it awaits,
and in no other task. It is not visible in other threads, except in functions of loaders that run
there for the task, and not in other coroutines, except those that the block creates.
"""

import contextvars
import types

from ._asynq import (
    AttributeOverrideBase,
    ScopedOverrideBase,
    active_scopes,
    set_active_scopes,
)

__all__ = ["AsyncScopedValue", "async_override"]


class AsyncScopedValue:
    """A value that can be overridden for a `with` block, which may contain `yield`.

    >>> from asynq import asynq
    >>> user = AsyncScopedValue("nobody")
    >>> @asynq()
    ... def who():
    ...     return user.get()
    >>> @asynq()
    ... def who_as(name):
    ...     with user.override(name):
    ...         return (yield who.asynq())
    >>> @asynq()
    ... def everybody():
    ...     return (yield who.asynq(), who_as.asynq("ann"), who_as.asynq("bob"))
    >>> everybody()
    ('nobody', 'ann', 'bob')
    """

    __class_getitem__ = classmethod(types.GenericAlias)

    # The context variable that holds what `set` has set.
    _variable = None

    def __init__(self, default):
        self._value = default

    def __getattr__(self, name):
        # Called for `_value` only if a subclass did not call `super().__init__()`.
        if name == "_value":
            raise TypeError(f"{type(self).__name__}.__init__() must call super().__init__(default)")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get(self):
        """Returns the value that is visible in the running task."""
        overrides = active_scopes().get(id(self))
        if overrides is not None:
            return overrides[-1][2]
        return self._value if self._variable is None else self._variable.get(self._value)

    def set(self, value):
        """Replaces the value where this is called, as `ContextVar.set` does.

        The new value is visible to the caller, and to the tasks, coroutines and synchronous calls
        that the caller makes afterwards; not to other tasks, threads or requests. Inside a block of
        `override`, it is lost when the block ends or its task is paused.
        """
        scopes = active_scopes()
        overrides = scopes.get(id(self))
        if overrides is None:
            if self._variable is None:
                # Two threads may make one, and then use the one that `setdefault` has kept.
                self.__dict__.setdefault("_variable", contextvars.ContextVar("AsyncScopedValue"))
            self._variable.set(value)
            return
        *outer, (override, of_task, _, _) = overrides
        set_active_scopes({**scopes, id(self): (*outer, (override, of_task, value, self))})

    def override(self, value):
        """Returns a context manager that replaces the value by `value` for its block."""
        return _AsyncScopedValueOverrideContext(self, value)

    def __call__(self):
        """The same as `get`."""
        return self.get()

    def __str__(self):
        return f"AsyncScopedValue({self.get()})"

    def __repr__(self):
        return f"AsyncScopedValue({self.get()!r})"


class _AsyncScopedValueOverrideContext(ScopedOverrideBase):
    def __init__(self, target, value):
        _check_inactive(self)
        self.set_up(target, value)
        self._target = target
        self._value = value

    def __repr__(self):
        name = type(self).__name__
        return f"{name}(target={self._target!r}, value={self._value!r})"


class _AsyncPropertyOverrideContext(AttributeOverrideBase):
    """A context manager that sets an attribute of an object for its block.

    `with async_override(target, "name", value):` is the same for an attribute of any object as
    `AsyncScopedValue.override` is for its value, but other threads see the new value, too.
    """

    def __init__(self, target, property_name, value):
        if not isinstance(property_name, str):
            raise TypeError(f"property_name must be a str, got {property_name!r}")
        _check_inactive(self)
        self.set_up(target, property_name, value)
        self._target = target
        self._property_name = property_name
        self._value = value

    def __repr__(self):
        name = type(self).__name__
        return (
            f"{name}(target={self._target!r}, property_name={self._property_name!r},"
            f" value={self._value!r})"
        )


async_override = _AsyncPropertyOverrideContext


def _check_inactive(override):
    if override._is_active:
        raise RuntimeError(f"{override!r} is active, and cannot be initialized again")
