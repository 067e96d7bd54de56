"""Settings of loaders, and their validation."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Optional

from .._inspection import is_async_fn, is_coroutine_function
from .._validation import check_count, check_duration, check_flag, check_number
from .group import Group
from .per import Per


class _Nothing:
    def __repr__(self):
        return "<nothing>"


NOTHING = _Nothing()

# Seconds for which a key on an event loop waits at most while something else can run.
_MAX_DELAY = 0.01


@dataclasses.dataclass(frozen=True)
class Settings:
    """The keyword arguments of `Loader`, validated. See there for their meaning."""

    name: Optional[str] = None
    max_batch_size: Optional[int] = None
    blocking: bool = False
    executor: Any = None
    cache: Any = None
    per: Any = ()
    across_requests: bool = False
    cache_errors: Any = False
    key: Any = None
    default: Any = NOTHING
    default_factory: Any = None
    priority: float = 0
    max_in_flight: Optional[int] = None
    group: Any = None
    timeout: Optional[float] = None
    max_delay: Any = NOTHING
    hold: Optional[float] = None
    before_flush: Any = None
    after_flush: Any = None

    def __post_init__(self):
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {self.name!r}")
        for name in ("max_batch_size", "max_in_flight"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name in ("blocking", "across_requests"):
            check_flag(name, getattr(self, name))
        if not isinstance(self.cache_errors, bool) and not _is_function(self.cache_errors):
            raise TypeError(
                "cache_errors must be True, False or a function that says so of an error, got"
                f" {self.cache_errors!r}"
            )
        if self.executor is not None and not _is_executor(self.executor):
            raise TypeError(
                f"executor must be an executor such as a ThreadPoolExecutor, got {self.executor!r}"
            )
        for name in ("timeout", "max_delay", "hold"):
            if getattr(self, name) is not None and getattr(self, name) is not NOTHING:
                check_duration(name, getattr(self, name))
        if not (self.group is None or isinstance(self.group, Group) or _is_function(self.group)):
            raise TypeError(
                "group must be a Group, or a function of the instance that returns one, got"
                f" {self.group!r}"
            )
        check_number("priority", self.priority)
        if self.default is not NOTHING and self.default_factory is not None:
            raise ValueError("default and default_factory exclude each other: give only one")
        if self.has_mapping and not _is_mutable_mapping(self.cache):
            raise TypeError(
                "cache must be True, False or a mutable mapping such as a dict or an Lru, got"
                f" {self.cache!r}"
            )
        object.__setattr__(self, "per", Per(self.per))  # The dataclass is frozen.
        if self.per and self.has_mapping:
            raise TypeError(
                f"per needs a cache for each value, so cache must be True or False, got"
                f" {self.cache!r}"
            )
        for name in ("key", "default_factory", "before_flush", "after_flush"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r}")

    @property
    def has_mapping(self):
        """True if the cache is a mapping that the user gives."""
        return self.cache is not None and not isinstance(self.cache, bool)

    def delays(self):
        """Returns `max_delay`, with its default, and `hold` in seconds."""
        hold = self.hold or 0.0
        max_delay = max(_MAX_DELAY, hold) if self.max_delay is NOTHING else self.max_delay
        return max_delay, hold

    @classmethod
    def parse(cls, settings):
        """Returns the settings in a dict. Raises `TypeError` for unknown ones."""
        unknown = settings.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise TypeError(f"unknown setting of a loader: {', '.join(sorted(unknown))}")
        return cls(**settings)

    def check_for(self, fn, returns_coroutines=False):
        """Raises `TypeError` or `ValueError` if the batch function `fn` does not support them.

        `returns_coroutines` says that a plain function returns a coroutine on event loops.
        """
        if not callable(fn):
            raise TypeError(f"the batch function of a loader must be a function, got {fn!r}")
        is_ours, is_coroutine = is_async_fn(fn), is_coroutine_function(fn)
        name = self.name or getattr(fn, "__qualname__", repr(fn))
        if self.blocking and (is_ours or is_coroutine):
            raise ValueError(
                f"blocking=True is for functions that block their thread, but {name} is"
                " asynchronous: remove blocking=True"
            )
        if self.executor is not None and not self.blocking:
            raise ValueError(
                f"executor needs blocking=True, but {name} does not run on a worker thread"
            )
        waits = self.blocking or is_coroutine or returns_coroutines
        if self.max_in_flight is not None and not waits:
            raise ValueError(
                "max_in_flight needs an async def function or blocking=True, but"
                f" {name} runs on the thread of the scheduler"
            )
        if self.timeout is not None and not (waits or is_ours):
            raise ValueError(
                f"timeout needs an asynchronous function or blocking=True, but {name} blocks the"
                " thread of the scheduler"
            )


def _is_function(value):
    return callable(value) and not isinstance(value, type)


def _is_executor(value):
    return callable(getattr(value, "submit", None)) and not isinstance(value, type)


def _is_mutable_mapping(cache):
    if isinstance(cache, (Sequence, type)):
        return False
    needed = ("__getitem__", "__setitem__", "pop", "clear")
    return all(hasattr(cache, method) for method in needed)
