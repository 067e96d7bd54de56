"""What the extension does with decorated functions and is more at home in Python."""

import functools
import sys

__traceback_hide__ = True


def run_plain_function(fn, args, kwargs):
    """A generator that calls a function without `yield`, for task classes that expect one."""
    return fn(*args, **kwargs)
    yield


def decorated_by_name(module, qualname):
    """Unpickles a decorated function: it is what its module calls by its name.

    Raises `TypeError` if there is no such thing.
    """
    try:
        return functools.reduce(getattr, qualname.split("."), sys.modules[module])
    except (KeyError, AttributeError):
        raise TypeError(
            f"Cannot pickle decorated function {module}.{qualname}, failed to find it"
        ) from None
