from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from .._asynq import Load, Permits
from .request import Request

__traceback_hide__: bool

class RunningFunction:
    is_nested: bool
    may_run_here: bool
    permits: Permits
    waits_for: set[Load[Any]]
    def __init__(
        self, request: Request, permits: Permits, parent: RunningFunction | None
    ) -> None: ...
    @property
    def has_ended(self) -> bool: ...
    def end(self) -> None: ...
    def is_within(self, other: RunningFunction | None) -> bool: ...
    def submit(
        self, job: Callable[[], object], fail: Callable[[BaseException], object]
    ) -> None: ...
    def nest(self) -> None: ...
    def lend(self) -> None: ...
    def take_back(self, begin: Callable[[], object] | None) -> bool: ...
    async def wait_for(self, load: Load[Any], wait: Awaitable[Any]) -> Any: ...

running_function: ContextVar[RunningFunction | None]
