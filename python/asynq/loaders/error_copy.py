"""Copies of errors, for caches: whoever raises an error changes it."""

import copy
import copyreg

try:
    _Group = BaseExceptionGroup
except NameError:  # Before Python 3.11.
    _Group = ()

# Attributes that the scheduler sets on an error that a task raises.
_OF_TASKS = ("_task", "_traceback")


def copy_error(error):
    """Returns a copy of an error without a traceback, and of the errors that it names as causes.

    A raised error gets a traceback, which keeps the frames of the code that it went through, and it
    keeps the task that it failed. So a cache holds one copy, and gives out another for each load.

    An error that cannot be copied is returned itself, without its traceback.
    """
    try:
        return _copied(error, {})
    except Exception:
        error.__traceback__ = error.__context__ = None
        for name in _OF_TASKS:
            getattr(error, "__dict__", {}).pop(name, None)
        return error


def _copied(error, copies):
    if error is None:
        return None
    if id(error) in copies:
        return copies[id(error)]
    copies[id(error)] = new = _alone(error, copies)
    if type(new) is not type(error):
        raise TypeError(f"the copy of a {type(error).__name__} has another type")
    new.__cause__ = _copied(error.__cause__, copies)
    new.__context__ = _copied(error.__context__, copies)
    new.__suppress_context__ = error.__suppress_context__
    new.__traceback__ = None
    return new


def _alone(error, copies):
    """Returns a copy of an error, perhaps with the same causes."""
    cls = type(error)
    builtin = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    if hasattr(cls, "__copy__") or cls.__reduce__ is not builtin.__reduce__:
        return copy.copy(error)
    # Without `cls.__init__`, which may have other parameters than `error.args`.
    _, args, *rest = error.__reduce__()
    state = rest[0] if rest else None
    if isinstance(error, _Group):
        args = (args[0], [_copied(inner, copies) for inner in error.exceptions])
    new = cls.__new__(cls, *args)
    builtin.__init__(new, *args)
    if state:
        new.__setstate__({name: state[name] for name in state if name not in _OF_TASKS})
    for name in copyreg._slotnames(cls):
        if hasattr(error, name):
            setattr(new, name, getattr(error, name))
    return new
