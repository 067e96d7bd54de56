"""Unpickling of decorated functions and their methods."""

import functools
import importlib

from ._asynq import DecoratorBinder

__traceback_hide__ = True


def find_decorated(module, qualname):
    """Returns the decorated function that `module` has under `qualname`.

    A pickled decorated function is a call of this. Raises `TypeError` if the module cannot be
    imported or has no such attribute.
    """
    try:
        found = functools.reduce(getattr, qualname.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        raise TypeError(
            f"Cannot pickle decorated function {module}.{qualname}, failed to find it"
        ) from None
    return found.decorator if isinstance(found, DecoratorBinder) else found


def bind_decorated(decorator, instance):
    """Returns a decorated method, bound to `instance`, or to a class if it is a class method.

    A pickled or copied method is a call of this.
    """
    if decorator.type is classmethod:
        return decorator.__get__(None, instance)
    return decorator.__get__(instance, type(instance))
