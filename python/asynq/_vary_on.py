"""Scoped values as part of the key of a shared task or a cached value: the option `vary_on`."""

from ._sources import Sources
from .contexts import AsyncContext
from .scoped_value import AsyncScopedValue


class VaryOn(Sources):
    """The scoped values and context variables that the option `vary_on` of a decorator names."""

    def __init__(self, sources):
        super().__init__("vary_on", sources)

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


class _ContextVarOverride(AsyncContext):
    def __init__(self, variable, value):
        self._variable = variable
        self._value = value

    def resume(self):
        self._token = self._variable.set(self._value)

    def pause(self):
        self._variable.reset(self._token)
