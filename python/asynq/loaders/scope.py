"""Scopes: contexts in which loaders use separate caches."""

import contextvars
import types
import weakref

from ..contexts import AsyncContext

# The scopes that were entered here: a dict from owners, which are groups or loaders without one, to
# tuples, with the innermost scope last. Never changed, only replaced.
_entered = contextvars.ContextVar("asynq.scopes", default=types.MappingProxyType({}))


class Scopes:
    """The scopes of one loader. The extension asks it for the cache of the innermost one.

    It does not refer to the loader. Its id stands for the loader in the `caches` of a scope.
    """

    # Function that returns the loader of an instance, if nothing else keeps that one until a scope
    # ends: the instance has no room for a weak reference.
    find_loader = None

    def __init__(self, group=None):
        self.owner = object() if group is None else group

    def get(self, cache):
        """Returns the cache of the innermost scope, or `cache` if there is none."""
        entered = _entered.get().get(self.owner)
        if entered is None:
            return cache
        key = id(self)
        for scope in reversed(entered):
            found = scope.caches.get(key)
            if found is None and scope.is_of_group:
                found = scope.add(self)
            if found is not None:
                return found
        return cache


class _Scope(AsyncContext):
    is_of_group = False

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
        scopes = loader._core._scope
        self.caches = {id(scopes): {}}
        super().__init__(scopes.owner)


class GroupScope(_Scope):
    """The context of `Group.scope()`."""

    is_of_group = True

    def __init__(self, group):
        self.caches = {}
        self._ends = {}
        self._kept_loaders = []
        super().__init__(group)

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
