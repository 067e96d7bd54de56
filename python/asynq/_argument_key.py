"""Cache keys made of the arguments of a call, for the caching tools."""

import inspect

from ._inspection import MAX_LAYERS


def original_fn(fn):
    """Returns the function inside all decorators.

    Follows the attributes `original_fn` and `fn` of decorators, and `__func__` of class methods and
    static methods. Raises `TypeError` if they never end, as those of a mock.
    """
    outermost = fn
    for _ in range(MAX_LAYERS):
        if isinstance(fn, (classmethod, staticmethod)):
            fn = fn.__func__
        elif hasattr(fn, "original_fn"):
            fn = fn.original_fn
        elif hasattr(fn, "fn"):
            fn = fn.fn
        else:
            return fn
    raise TypeError(f"cannot find the function inside {outermost!r}: its attributes fn never end")


def argument_key(fn, skip=0):
    """Returns a function that turns `(args, kwargs)` into a key for a call of `fn`.

    Two calls have equal keys exactly if they give every parameter of `fn` equal values, by
    position, by name or by default. The first `skip` parameters are not part of the key, and must
    not be part of `args`.

    The returned function raises `TypeError` if a required argument is missing.
    """
    fn = original_fn(fn)
    spec = inspect.getfullargspec(fn)
    positional = spec.args[skip:]
    names = positional + spec.kwonlyargs
    defaults = dict(spec.kwonlydefaults or {})
    if spec.defaults:
        defaults.update(zip(spec.args[-len(spec.defaults) :], spec.defaults))
    fn_name = getattr(fn, "__qualname__", repr(fn))
    length_of_plain_calls = len(names) if not spec.kwonlyargs else None

    def key(args, kwargs):
        if not kwargs and len(args) == length_of_plain_calls:
            return args
        values = list(args[: len(positional)])
        by_name = names[len(values) :]
        for name in by_name:
            if name in kwargs:
                values.append(kwargs[name])
            elif name in defaults:
                values.append(defaults[name])
            else:
                raise TypeError(f"{fn_name}() missing a required argument: {name!r}")
        rest = sorted(item for item in kwargs.items() if item[0] not in by_name)
        if rest or len(args) > len(positional):
            # The key gets one more element, so it differs from every key without extra arguments.
            values.append((args[len(positional) :], tuple(rest)))
        return tuple(values)

    return key
