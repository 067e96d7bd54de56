"""Checks of arguments. Each raises an error that names the argument and shows its value."""

import math


def check_async_fn(name, fn):
    """Raises `TypeError` unless the argument `name` has an attribute `asynq`."""
    if not hasattr(fn, "asynq"):
        raise TypeError(f"{name} must be an async function, got {fn!r}: decorate it with @asynq()")


def check_callable(name, value):
    """Raises `TypeError` unless the argument `name` is callable, or a descriptor of a callable."""
    if not callable(value) and not hasattr(value, "__get__"):
        raise TypeError(f"{name} must be a function, got {value!r}")


def check_no_function(decorator, value):
    """Raises `TypeError` if a decorator with options was applied without parentheses."""
    if callable(value) or isinstance(value, (classmethod, staticmethod)):
        raise TypeError(f"@{decorator} needs parentheses: write @{decorator}() above the function")


def check_count(name, count):
    """Raises unless the argument `name` is an int (`TypeError`) of at least 1 (`ValueError`)."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{name} must be an int, got {count!r}")
    if count < 1:
        raise ValueError(f"{name} must be 1 or more, got {count}")


def check_flag(name, value):
    """Raises `TypeError` unless the argument `name` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def check_number(name, value):
    """Raises `TypeError` unless the argument `name` is an int or a float other than NaN."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
        raise TypeError(f"{name} must be a number, got {value!r}")


def check_duration(name, value, unit="seconds", minimum_is_zero=False):
    """Raises unless the argument `name` is a number (`TypeError`) that is positive and finite.

    With `minimum_is_zero`, 0 is allowed. Other numbers raise `ValueError`.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of {unit}, got {value!r}")
    if not (0 < value < math.inf or (minimum_is_zero and value == 0)):
        kind = "non-negative" if minimum_is_zero else "positive"
        raise ValueError(f"{name} must be a {kind} number of {unit}, got {value!r}")
