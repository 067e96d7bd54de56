"""Values that differ from task to task.

If a task overrides a value, the override is visible in that task and in the tasks that it awaits,
and in no other task.
"""

import contextvars
import types
import weakref

from .contexts import AsyncContext

__all__ = ["AsyncScopedValue", "async_override"]

# The values for code that runs on a worker thread: the values at the time it was submitted. Without
# this snapshot it would see the overrides of the task that the scheduler runs at the same time.
_snapshot = contextvars.ContextVar("asynq.scoped_values")
_has_snapshots = False
# All values, by id: a subclass that defines __eq__ is not hashable.
_values = weakref.WeakValueDictionary()


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

    def __init__(self, default):
        self._value = default
        _values[id(self)] = self

    def __getattr__(self, name):
        # Called for `_value` only if a subclass did not call `super().__init__()`.
        if name == "_value":
            raise TypeError(f"{type(self).__name__}.__init__() must call super().__init__(default)")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get(self):
        """Returns the value that is visible in the running task."""
        if _has_snapshots:
            entry = _snapshot.get(_NONE).get(id(self))
            return self._value if entry is None else entry[1]
        return self._value

    def set(self, value):
        """Replaces the value.

        Inside a block of `override`, the new value is lost when the block ends or its task is
        paused.
        """
        self._value = value

    def override(self, value):
        """Returns a context manager that replaces the value by `value` for its block."""
        return _AsyncScopedValueOverrideContext(self, value)

    def __call__(self):
        """The same as `get`."""
        return self.get()

    def __str__(self):
        return f"AsyncScopedValue({self._value})"

    def __repr__(self):
        return f"AsyncScopedValue({self._value!r})"


class _AsyncScopedValueOverrideContext(AsyncContext):
    def __init__(self, target, value):
        _check_inactive(self)
        self._target = target
        self._value = value
        self._old_values = []  # More than one if the override is entered again inside its block.

    def resume(self):
        target = self._target
        self._old_values.append(target._value)
        target._value = self._value

    def pause(self):
        _check_active(self)
        self._target._value = self._old_values.pop()

    def __repr__(self):
        name = type(self).__name__
        return f"{name}(target={self._target!r}, value={self._value!r})"


class _AsyncPropertyOverrideContext(AsyncContext):
    """A context manager that sets an attribute of an object for its block.

    `with async_override(target, "name", value):` is the same for an attribute of any object as
    `AsyncScopedValue.override` is for its value.
    """

    def __init__(self, target, property_name, value):
        if not isinstance(property_name, str):
            raise TypeError(f"property_name must be a str, got {property_name!r}")
        _check_inactive(self)
        self._target = target
        self._property_name = property_name
        self._value = value
        self._old_values = []  # More than one if the override is entered again inside its block.

    def resume(self):
        old_value = getattr(self._target, self._property_name)
        setattr(self._target, self._property_name, self._value)
        self._old_values.append(old_value)

    def pause(self):
        _check_active(self)
        setattr(self._target, self._property_name, self._old_values.pop())

    def __repr__(self):
        name = type(self).__name__
        return (
            f"{name}(target={self._target!r}, property_name={self._property_name!r},"
            f" value={self._value!r})"
        )


async_override = _AsyncPropertyOverrideContext


def _check_inactive(override):
    if getattr(override, "_old_values", None):
        raise RuntimeError(f"{override!r} is active, and cannot be initialized again")


def _check_active(override):
    if not override._old_values:
        raise RuntimeError(f"{override!r} is not active: enter it before it is left or paused")


_NONE = {}


def snapshot_values():
    """Returns the current values of all scoped values, for `with_values`."""
    values = [value() for value in _values.valuerefs()]
    # Each entry holds its value, so that no other object can get the same id.
    return {id(value): (value, value.get()) for value in values if value is not None}


def with_values(values, function, *args):
    """Calls a function that sees these scoped values, a result of `snapshot_values`."""
    global _has_snapshots
    _has_snapshots = True
    token = _snapshot.set(values)
    try:
        return function(*args)
    finally:
        _snapshot.reset(token)
