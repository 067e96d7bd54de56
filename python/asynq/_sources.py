"""`Sources`: the values on which shared work depends, which `vary_on` and `per` name."""

from contextvars import ContextVar

from ._inspection import is_async_fn, is_coroutine_function
from .scoped_value import AsyncScopedValue


class Sources:
    """Scoped values, context variables and, with `functions=True`, functions that read a value.

    `sources` is one of them, or an iterable. Raises `TypeError` for other objects; `option` is the
    name of the option in errors.
    """

    def __init__(self, option, sources, *, functions=False):
        self.option = option
        if isinstance(sources, (AsyncScopedValue, ContextVar, str)):
            sources = (sources,)
        try:
            self.sources = tuple(sources)
        except TypeError:
            self.sources = (sources,)
        for source in self.sources:
            if isinstance(source, (AsyncScopedValue, ContextVar)):
                continue
            if not functions:
                raise TypeError(
                    f"{option} must name AsyncScopedValue or ContextVar objects, got {source!r}"
                )
            if not _is_plain_function(source):
                raise TypeError(
                    f"{option} must name ContextVar or AsyncScopedValue objects, or functions"
                    f" without parameters that return a value at once, got {source!r}"
                )

    def __bool__(self):
        return bool(self.sources)

    def values(self):
        """Returns the values that the caller sees.

        Raises `LookupError` for a context variable without a value: nobody's value must not be
        shared with somebody.
        """
        return tuple([self._value(source) for source in self.sources])

    def _value(self, source):
        if not isinstance(source, ContextVar):
            return source()
        try:
            return source.get()
        except LookupError:
            raise LookupError(
                f"the context variable {source.name!r} of {self.option} has no value here: set it"
                " first, or give it a default"
            ) from None


def _is_plain_function(source):
    return (
        callable(source)
        and not isinstance(source, type)
        and not is_coroutine_function(source)
        and not is_async_fn(source)
    )
