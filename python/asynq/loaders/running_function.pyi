from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._asynq import Load, Permits
from ._loader import Loader

__traceback_hide__: bool

class RunningFunction:
    is_nested: bool
    may_run_here: bool
    permits: Permits
    waits_for: set[Load[Any]]
    def __init__(self, loader: Loader[Any, Any], keys: list[Any], permits: Permits) -> None: ...
    @property
    def has_ended(self) -> bool: ...
    def end(self) -> None: ...
    def submit(
        self, job: Callable[[], object], fail: Callable[[BaseException], object]
    ) -> None: ...
    def nest(self) -> None: ...
    def lend(self) -> None: ...
    def take_back(self, begin: Callable[[], object] | None) -> bool: ...
    async def wait_for(self, load: Load[Any], loop: AbstractEventLoop) -> None: ...

running_function: ContextVar[RunningFunction | None]

async def wait_until_resolved(load: Load[Any], loop: AbstractEventLoop) -> None: ...
