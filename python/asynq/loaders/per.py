"""`Per`: what the rows of a loader depend on, besides its keys."""

import contextvars
import functools

from .._asynq import scopes_variable
from .._sources import Sources
from ..scoped_value import AsyncScopedValue

_MISSING = object()


class Per(Sources):
    """The setting `per` of a loader: context variables, scoped values, and functions.

    A function may have a method `restore(value)`, which sets what it reads so that it returns the
    value. If the value is a weak reference, what a loader keeps for it ends with the referent.
    """

    def __init__(self, sources):
        super().__init__(
            "per", sources.sources if isinstance(sources, Per) else sources, functions=True
        )

    def values(self):
        """Returns the values that the caller sees. Raises `TypeError` for one without a hash."""
        values = super().values()
        for source, value in zip(self.sources, values):
            try:
                hash(value)
            except TypeError as error:
                raise TypeError(
                    f"per needs hashable values, and {source!r} has {value!r}: {error}"
                ) from None
        return values

    def context(self, definition, values):
        """Returns a copy of the context `definition` in which the sources have these values.

        The second value lists functions that have to be called in each copy of it.
        """
        context = definition.copy()
        functions, restorers = [], []
        for source, value in zip(self.sources, values):
            if isinstance(source, AsyncScopedValue):
                context.run(source.override(value).resume)
            elif isinstance(source, contextvars.ContextVar):
                context.run(source.set, value)
            elif hasattr(source, "restore"):
                restorers.append(functools.partial(source.restore, value))
            else:
                functions.append((source, value))
        for function, value in functions:
            for change in _changes_for(function, value, context):
                context.run(change)
        return context, restorers


def _changes_for(function, value, context):
    """Returns the changes of `context` that let `function` return `value` in it.

    They set only those variables that the function reads, to what the caller sees: the others are
    those of one caller, and a batch is for several.
    """

    def is_enough(changes):
        trial = context.copy()
        try:
            for change in changes:
                trial.run(change)
            return trial.run(function) == value
        except Exception:
            return False

    if is_enough([]):
        return []
    changes = _changes_to_caller(context)
    if not is_enough(changes):
        return []  # It reads something else, such as a global or a `threading.local`.
    for change in list(changes):
        fewer = [other for other in changes if other is not change]
        if is_enough(fewer):
            changes = fewer
    return changes


def _changes_to_caller(context):
    """Returns the changes that lead from `context` to the context of the caller."""
    changes = []
    for variable, value in contextvars.copy_context().items():
        if variable is scopes_variable():
            # The other scopes are those of loaders and requests.
            overrides = [entries[-1] for owner, entries in value.items() if type(owner) is int]
            changes += [scoped.override(value).resume for *_, value, scoped in overrides]
        elif context.get(variable, _MISSING) is not value:
            changes.append(functools.partial(variable.set, value))
    return changes
