"""Limits on the number of requests in flight."""

import asyncio
import weakref

from .._asynq import Limit, Permits, call_until_done
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


# Seconds after which a wait for permits looks whether event loops were closed that hold some.
_INTERVAL = 0.5


async def wait_for_permits(permits, future):
    """Awaits `future`, which is completed once the permits are acquired, or later.

    A coroutine of a closed event loop never gives its permit back, and the loop tells nobody.
    """
    if not permits.is_waiting:
        await future
        return
    loop = asyncio.get_running_loop()

    def look():
        nonlocal timer
        if permits.is_waiting:
            timer = loop.call_later(_INTERVAL, call_until_done, look)
            permits.reclaim()

    timer = loop.call_later(_INTERVAL, call_until_done, look)
    try:
        await future
    finally:
        timer.cancel()
