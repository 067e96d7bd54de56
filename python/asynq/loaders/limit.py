"""Limits on the number of requests in flight."""

import weakref

from .._asynq import Limit, Permits
from .._fork import reset_after_fork
from .._validation import check_count


def new_limit(count):
    """Returns a limit of so many requests in flight, or None for no limit."""
    if count is None:
        return None
    limit = Limit(count)
    reset_after_fork(limit)
    return limit


_global_limit = None


def set_max_in_flight(count):
    """Limits the requests in flight of all loaders together (at least 1; None: no limit).

    The limit applies to requests that are sent afterwards. Raises `TypeError` if `count` is not an
    int, and `ValueError` if it is less than 1.
    """
    global _global_limit
    if count is not None:
        check_count("max_in_flight", count)
    _global_limit = new_limit(count)


def permits(loader, event_loop=None):
    """Returns the permits for one request of a loader.

    `event_loop` is the loop that has to go on for the request to finish, if any.
    """
    # All requests acquire them in this order, so that no two wait for each other.
    limits = (loader.limit, loader.group_limit, _global_limit)
    limits = [limit for limit in limits if limit is not None]
    return Permits(limits, None if event_loop is None else weakref.ref(event_loop))
