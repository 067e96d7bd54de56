"""`Group`: loaders that share a scope and a limit."""

import functools

from .._validation import check_count
from .limit import new_limit
from .scope import GroupScope
from .weak_objects import WeakObjects


class Group:
    """The loaders of a request, of a session or of a database, with one scope and one limit.

    Loaders join by their setting `group`. For loaders that are methods, it may be a function of the
    instance, so that those of one request share the group of that request:

    >>> import asynq
    >>> from asynq.loaders import Group
    >>> class Request:
    ...     def __init__(self, session):
    ...         self.session = session
    ...         self.group = Group(max_in_flight=1)
    ...
    ...     @asynq.loader(group=lambda self: self.group)
    ...     def user(self, ids):
    ...         return {id: f"user {id} by {self.session}" for id in ids}
    >>> request = Request("session 1")
    >>> with request.group.scope():
    ...     request.user(7)
    'user 7 by session 1'

    `max_in_flight` is the maximum number of concurrent calls of batch functions: 1 for a session
    that runs one statement at a time. It counts all kinds of functions, in all threads and event
    loops. A function that waits for another load does not count meanwhile. Plain functions, and
    `@asynq()` functions outside of event loops, block their thread until the group has room.

    A group does not keep its loaders alive.

    Raises `TypeError` if `max_in_flight` is not an int, and `ValueError` if it is less than 1.
    """

    def __init__(self, *, max_in_flight=None):
        if max_in_flight is not None:
            check_count("max_in_flight", max_in_flight)
        self._max_in_flight = max_in_flight
        self.limit = new_limit(max_in_flight)
        self._loaders = WeakObjects()

    @property
    def max_in_flight(self):
        """Maximum number of concurrent calls of batch functions, or None."""
        return self._max_in_flight

    def scope(self):
        """Returns a context in which each loader of the group uses a new, separate cache.

        Use it to cache values for the duration of one request: `with group.scope(): ...`. The
        caches are also used by the async functions and coroutines that are called in the block, and
        by loaders that join the group later.
        """
        return GroupScope(self)

    def clear_all(self):
        """Removes all keys from the current cache of each loader, as `Loader.clear_all` does."""
        for loader in self._loaders:
            loader.clear_all()

    def add(self, loader):
        """Adds a new loader."""
        self._loaders.add(loader)

    def __reduce__(self):
        # A copy of an object that has a group gets a group of its own.
        return functools.partial(type(self), max_in_flight=self._max_in_flight), ()

    def __repr__(self):
        return f"<group of {len(self._loaders)} loaders, max_in_flight={self._max_in_flight}>"
