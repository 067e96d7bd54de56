"""Scopes: contexts in which loaders use separate caches."""

import contextvars
import types
import weakref

from ..contexts import AsyncContext

# The scopes that were entered here, the innermost one last: a dict from owners to tuples. An owner
# is a group, or the `Scopes` of a loader without one. Never changed, only replaced.
_entered = contextvars.ContextVar("asynq.scopes", default=types.MappingProxyType({}))


class Scopes:
    """The scopes of one loader. The extension asks it for the cache of the innermost one.

    It does not refer to the loader: it is a weak key of the caches of a group's scopes.
    """

    # Function that returns the loader of an instance, if nothing else keeps that one until a scope
    # ends: the instance has no room for a weak reference.
    find_loader = None

    def __init__(self, group=None):
        self._group = group

    @property
    def owner(self):
        return self._group or self

    def get(self, cache):
        """Returns the cache of the innermost scope, or `cache` if there is none."""
        for scope in reversed(_entered.get().get(self.owner, ())):
            found = scope.cache_of(self)
            if found is not None:
                return found
        return cache


class _Scope(AsyncContext):
    def __init__(self, owner):
        self._owner = owner

    def resume(self):
        entered = _entered.get()
        _entered.set({**entered, self._owner: (*entered.get(self._owner, ()), self)})

    def pause(self):
        entered = dict(_entered.get())
        scopes = list(entered.pop(self._owner, ()))
        # Entered again inside itself, it is there more than once. In a thread or coroutine that has
        # not entered it, it is not there, and nothing changes.
        for index in reversed(range(len(scopes))):
            if scopes[index] is self:
                del scopes[index]
                break
        if scopes:
            entered[self._owner] = tuple(scopes)
        _entered.set(entered)


class LoaderScope(_Scope):
    """The context of `Loader.scope()`."""

    def __init__(self, loader):
        self._loader = loader  # Alive, so that its instance has no other one meanwhile.
        self._scopes = loader._core._scope
        self._cache = {}
        super().__init__(self._scopes.owner)

    def cache_of(self, scopes):
        """Returns the cache of the loader with these scopes, or None if it has none here."""
        return self._cache if scopes is self._scopes else None


class GroupScope(_Scope):
    """The context of `Group.scope()`."""

    def __init__(self, group):
        self._caches = weakref.WeakKeyDictionary()
        self._kept_loaders = []
        super().__init__(group)

    def cache_of(self, scopes):
        """Returns the cache of the loader with these scopes."""
        cache = self._caches.get(scopes)
        if cache is None:
            if scopes.find_loader is not None:
                self._kept_loaders.append(scopes.find_loader())
            cache = self._caches.setdefault(scopes, {})
        return cache
