"""Scoped values as part of the key of a shared task or a cached value: the option `vary_on`."""

from contextvars import ContextVar

from .contexts import AsyncContext
from .scoped_value import AsyncScopedValue


class VaryOn:
    """The scoped values and context variables that the option `vary_on` of a decorator names.

    `sources` is one of them, or an iterable. Raises `TypeError` for other objects.
    """

    def __init__(self, sources):
        if isinstance(sources, (AsyncScopedValue, ContextVar)):
            sources = (sources,)
        try:
            self.sources = tuple(sources)
        except TypeError:
            self.sources = (sources,)
        for source in self.sources:
            if not isinstance(source, (AsyncScopedValue, ContextVar)):
                raise TypeError(
                    f"vary_on must name AsyncScopedValue or ContextVar objects, got {source!r}"
                )

    def __bool__(self):
        return bool(self.sources)

    def values(self):
        """Returns the values that the caller sees.

        Raises `LookupError` for a context variable without a value: nobody's value must not be
        shared with somebody.
        """
        return tuple([_value(source) for source in self.sources])

    def key(self, key):
        """Returns the key of a call, which has `key` apart from these values."""
        return (self.values(), key) if self.sources else key

    def overrides(self, values):
        """Returns contexts in which the sources have these values."""
        return [
            source.override(value)
            if isinstance(source, AsyncScopedValue)
            else _ContextVarOverride(source, value)
            for source, value in zip(self.sources, values)
        ]


def _value(source):
    try:
        return source.get()
    except LookupError:
        raise LookupError(
            f"the context variable {source.name!r} of vary_on has no value here: set it before the"
            " call, or give it a default"
        ) from None


class _ContextVarOverride(AsyncContext):
    def __init__(self, variable, value):
        self._variable = variable
        self._value = value

    def resume(self):
        self._token = self._variable.set(self._value)

    def pause(self):
        self._variable.reset(self._token)
