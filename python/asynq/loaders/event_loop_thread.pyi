from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any

from .._asynq import Flight
from .caller_context import CallerContext

__traceback_hide__: bool

class EventLoopThread:
    def __init__(self, depth: int = 1) -> None: ...
    def submit(self, job: Callable[[], object]) -> None: ...
    def next(self) -> EventLoopThread: ...
    def event_loop(self) -> AbstractEventLoop: ...

def event_loop_thread() -> EventLoopThread: ...

class CoroutineCall:
    def __init__(
        self,
        flight: Flight,
        caller: CallerContext,
        thread: EventLoopThread,
        call: Callable[[Coroutine[Any, Any, Any] | None], Coroutine[Any, Any, Any]],
        coroutine: Coroutine[Any, Any, Any] | None = None,
    ) -> None: ...
    def begin(self) -> None: ...
    def cancel(self) -> None: ...

first_event_loop_thread: EventLoopThread
