"""Synchronous calls of async functions."""

from __future__ import annotations

from typing import Any, Callable

from .at_once import CACHE, KEYS
from .workload import Workload


class Call(Workload):
    """A synchronous call, `cached(key)`, of an async function that returns immediately: a generator
    that finds its value in a dictionary. Nothing else runs. A DataLoader has no synchronous call.
    """

    title = "synchronous call"
    unit = "call"
    units = len(KEYS)
    goal = 25
    batches = 0

    def expected(self) -> Any:
        return list(CACHE.values())

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached

        cached.store.workload = self
        call = cached.cached
        return lambda: [call(key) for key in KEYS]


class CallWithoutYield(Call):
    """A synchronous call of a plain function under `@asynq()`, which has no `yield`."""

    title = "synchronous call, no yield"
    goal = 60

    def with_asynq(self) -> Callable[[], Any]:
        from programs.cached import cached_without_yield as call

        return lambda: [call(key) for key in KEYS]


class CallOfMethod(Call):
    """A synchronous call of a method, a generator as above."""

    title = "synchronous call of a method"
    goal = None

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached

        cached.store.workload = self
        service = cached.Cached()
        return lambda: [service.look_up(key) for key in KEYS]


class CallInTask(Call):
    """A synchronous call of the generator as above, but inside a running task, which makes all of
    the calls.
    """

    title = "synchronous call in a task"
    goal = 13

    def with_asynq(self) -> Callable[[], Any]:
        from programs import cached

        cached.store.workload = self
        return lambda: cached.call_each(KEYS)
