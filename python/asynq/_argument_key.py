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

    Raises `TypeError` if the parameters of `fn` are unknown. The returned function raises it if a
    required argument is missing.
    """
    fn = original_fn(fn)
    fn_name = getattr(fn, "__qualname__", repr(fn))
    try:
        parameters = inspect.signature(fn, follow_wrapped=False).parameters.values()
    except ValueError as error:
        raise TypeError(f"the parameters of {fn_name} are unknown: {error}") from None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    positional = positional[skip:]
    keyword_only = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    length_of_plain_calls = None if keyword_only else len(positional)

    def key(args, kwargs):
        if not kwargs and len(args) == length_of_plain_calls:
            return args
        values = list(args[: len(positional)])
        rest = dict(kwargs)
        for parameter in positional[len(values) :] + keyword_only:
            name = parameter.name
            # A keyword with the name of a positional-only parameter belongs to `**kwargs`.
            if name in rest and parameter.kind is not parameter.POSITIONAL_ONLY:
                values.append(rest.pop(name))
            elif parameter.default is not parameter.empty:
                values.append(parameter.default)
            else:
                raise TypeError(f"{fn_name}() missing a required argument: {name!r}")
        if rest or len(args) > len(positional):
            # The key gets one more element, so it differs from every key without extra arguments.
            values.append((args[len(positional) :], tuple(sorted(rest.items()))))
        return tuple(values)

    return key
