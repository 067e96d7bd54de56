"""Scopes: contexts in which loaders use separate caches."""

import weakref

from .._asynq import active_scopes, pop_scope, push_scope
from ..contexts import AsyncContext


class Scopes:
    """The scopes of one loader. The extension asks it for the cache of the innermost one.

    It does not refer to the loader. Its id stands for the loader in the `caches` of a scope.
    """

    # Function that returns the loader of an instance, if nothing else keeps that one until a scope
    # ends: the instance has no room for a weak reference.
    find_loader = None

    def __init__(self, group=None):
        self.owner = object() if group is None else group
        self.loader = object()  # Stands for the loader and its variants.

    def of_variant(self):
        """Returns the scopes of a variant of the loader, which has caches of its own in them."""
        scopes = Scopes()
        scopes.owner, scopes.loader = self.owner, self.loader
        return scopes

    def get(self, cache):
        """Returns the cache of the innermost scope, or `cache` if there is none."""
        entered = active_scopes().get(self.owner)
        if entered is None:
            return cache
        key = id(self)
        for scope, _ in reversed(entered):
            found = scope.caches.get(key)
            if found is None and scope.covers(self):
                found = scope.add(self)
            if found is not None:
                return found
        return cache


class Scope(AsyncContext):
    """Base of contexts that are known to whoever is inside."""

    def __init__(self, owner):
        self.caches = {}
        self._owner = owner
        self._ends = {}
        self._kept_loaders = []

    def resume(self):
        push_scope(self._owner, (self, self._active_task is not None))

    def pause(self):
        pop_scope(self._owner, self)

    def add(self, scopes):
        """Adds the loader with these scopes, until its end. Returns its cache."""
        key, caches, ends = id(scopes), self.caches, self._ends

        def end(_):
            caches.pop(key, None)
            ends.pop(key, None)

        if scopes.find_loader is not None:
            self._kept_loaders.append(scopes.find_loader())
        ends.setdefault(key, weakref.ref(scopes, end))
        return caches.setdefault(key, {})


class LoaderScope(Scope):
    """The context of `Loader.scope()`."""

    def __init__(self, loader):
        scopes = loader._core._scope
        super().__init__(scopes.owner)
        self._loader = loader  # Alive, so that its instance has no other one meanwhile.
        self._scopes = scopes

    def covers(self, scopes):
        """Returns whether the loader with these scopes uses a cache of this scope."""
        return scopes.loader is self._scopes.loader


class GroupScope(Scope):
    """The context of `Group.scope()`."""

    def covers(self, scopes):
        """Returns True: the scope is entered for the loaders of the group only."""
        return True
