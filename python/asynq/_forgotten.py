"""Warnings and errors about a forgotten `yield` or `await`. The extension calls these functions."""

import inspect
import sys
import warnings
import weakref

from ._asynq import AsyncTask

_HINT = "did you forget to yield or await it?"
_ITERATORS = {"enumerate", "filter", "map", "reversed", "zip"}
_SEVERAL = "did you forget to yield them, or to await asynq.gather(*tasks)?"


def _name(fn):
    return getattr(fn, "__qualname__", None) or type(fn).__name__


def not_driven(awaited):
    """Returns the message for what is awaited by a coroutine that no task runs."""
    if isinstance(awaited, AsyncTask):
        name = _name(awaited.fn)
        what, on_a_loop = f"{name}.asynq(...)", f"await {name}.asyncio(...)"
    else:
        what = f"a {type(awaited).__name__}"
        on_a_loop = "await the .asyncio(...) of what has made it"
    return (
        f"{what} is awaited by a coroutine that asynq does not run: decorate the function of the"
        f" coroutine with @asynq(), or {on_a_loop} on an event loop"
    )


def may_be_dropped(fn):
    """Decorates a function whose tasks are made before anybody has asked for them."""
    fn.may_be_dropped = True
    return fn


def warn_of_drop(fn, place):
    """Warns of a task that was dropped before anybody asked for its value.

    `place` is the file and line where the task was created, if debug options have recorded it.
    """
    if getattr(fn, "may_be_dropped", False):
        return
    message = f"task {_name(fn)!r} was never yielded or awaited"
    if place is None:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    else:
        file, line = place
        message += f" (created in {file}, line {line})"
        warnings.warn_explicit(message, RuntimeWarning, file, line)


def stands_for(find):
    """Decorates a function of this package that stands for `find(*args)` in warnings."""

    def decorate(fn):
        fn.stands_for = find
        return fn

    return decorate


_blocking_functions = weakref.WeakSet()


def warn_of_blocked_loop(task):
    """Warns of a synchronous call that blocks a running event loop, once for each function."""
    fn = task.fn
    find = getattr(fn, "stands_for", None)
    if find is not None:
        fn = find(*task.args)
    if getattr(fn, "allow_sync_call", False) or not _note_blocking(fn):
        return
    name = _name(fn)
    message = (
        f"{name} is called synchronously on a running event loop, where nothing else can run until"
        f" it returns: write `await {name}.asyncio(...)`, or `yield {name}.asynq(...)` in an async"
        " function. If it has to block the loop, set `allow_sync_call=True`"
    )
    place = creation_place()
    if place is None:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    else:
        warnings.warn_explicit(message, RuntimeWarning, *place)


def _note_blocking(fn):
    """Returns whether to warn of a function: once, or always if no set can hold it."""
    try:
        is_new = fn not in _blocking_functions
        _blocking_functions.add(fn)
    except TypeError:
        return True
    return is_new


def creation_place():
    """Returns the file and line of the innermost frame that is not of this package."""
    frame = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def warn_of_str(future):
    """Warns of the text of a pending future in an async function, unless this package makes it."""
    if not _is_ours(sys._getframe(1)):
        name = type(future).__name__
        warnings.warn(
            f"str() of a pending {name}: {_HINT} (repr() gives the text of the future itself)",
            RuntimeWarning,
            stacklevel=2,
        )


def warn_of_value(fn, value, future):
    """Warns of a value that an async function returns: a pending future, or a list with one."""
    what = f"a pending {type(future).__name__}"
    if future is value:
        what += f": {_HINT}"
    else:
        what = f"a {type(value).__name__} with {what} in it: {_SEVERAL}"
    message = f"{_name(fn)} returned {what}"
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    else:
        warnings.warn_explicit(message, RuntimeWarning, code.co_filename, code.co_firstlineno)


def explain_yield_from(error):
    """Returns the message for the error of `yield from [...]`, or None for other errors."""
    kind, _, missing = str(error).partition(" object has no attribute ")
    kind = kind.strip("'")
    if missing != "'send'" or not (kind.endswith("iterator") or kind in _ITERATORS):
        return None
    return f"yield from a {kind} cannot wait for futures: write `yield [...]`, without `from`"


def _is_ours(frame):
    module = frame.f_globals.get("__name__", "")
    return module == "asynq" or module.startswith("asynq.")
