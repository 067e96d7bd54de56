"""Unpickling of decorated functions."""

import functools
import sys

__traceback_hide__ = True


def find_decorated(module, qualname):
    """Returns the decorated function that `module` has under `qualname`.

    A pickled decorated function is a call of this. Raises `TypeError` if the module is not imported
    or has no such attribute.
    """
    try:
        return functools.reduce(getattr, qualname.split("."), sys.modules[module])
    except (KeyError, AttributeError):
        raise TypeError(
            f"Cannot pickle decorated function {module}.{qualname}, failed to find it"
        ) from None
