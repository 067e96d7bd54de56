"""How a loader is to work: what its user has said, checked."""

import dataclasses
import inspect
import math
from collections.abc import Sequence
from typing import Any, Optional

from ..decorators import is_async_fn


class _Nothing:
    def __repr__(self):
        return "<nothing>"


NOTHING = _Nothing()


@dataclasses.dataclass(frozen=True)
class Settings:
    name: Optional[str] = None
    max_batch_size: Optional[int] = None
    blocking: bool = False
    cache: Any = False
    cache_errors: bool = False
    default: Any = NOTHING
    default_factory: Any = None
    priority: float = 0
    max_in_flight: Optional[int] = None
    timeout: Optional[float] = None
    before_flush: Any = None
    after_flush: Any = None

    def __post_init__(self):
        check_count("max_batch_size", self.max_batch_size)
        check_count("max_in_flight", self.max_in_flight)
        seconds = self.timeout
        if seconds is not None and not (_is_number(seconds) and 0 < seconds < math.inf):
            raise ValueError(f"timeout has to be a positive number of seconds, not {seconds!r}")
        if not _is_number(self.priority) or math.isnan(self.priority):
            raise TypeError(f"priority has to be a number, not {self.priority!r}")
        if self.default is not NOTHING and self.default_factory is not None:
            raise ValueError("a loader has a default or a default_factory, not both")
        if not isinstance(self.cache, bool) and not _is_mutable_mapping(self.cache):
            raise TypeError(
                "cache has to be True, False, or a mapping to keep values in and forget them, such"
                f" as a dict or an Lru, not {self.cache!r}"
            )
        for name in ("default_factory", "before_flush", "after_flush"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} has to be a function, not {function!r}")

    def check_for(self, fn):
        """Raises if a function of this kind can't keep them."""
        if not callable(fn):
            raise TypeError(f"a loader is made of a function of keys, not of {fn!r}")
        is_ours, is_coroutine = is_async_fn(fn), inspect.iscoroutinefunction(fn)
        if self.blocking and (is_ours or is_coroutine):
            raise ValueError(
                "blocking=True is for functions that block their thread: an asynchronous one"
                " overlaps with other sources without it"
            )
        if self.max_in_flight is not None and not (self.blocking or is_coroutine):
            raise ValueError(
                "max_in_flight needs a function that waits outside of the scheduler: an async def,"
                " or blocking=True"
            )
        if self.timeout is not None and not (self.blocking or is_coroutine or is_ours):
            raise ValueError(
                "timeout needs a function that does not hold the thread: an asynchronous one, or"
                " blocking=True"
            )


def _is_mutable_mapping(cache):
    if isinstance(cache, Sequence):
        return False
    needed = ("__getitem__", "__setitem__", "pop", "clear")
    return all(hasattr(cache, method) for method in needed)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_count(name, count):
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{name} has to be an int, not {count!r}")
    if count < 1:
        raise ValueError(f"{name} has to be 1 or more, not {count}")
