from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .caller_context import CallerContext

__traceback_hide__: bool

_T = TypeVar("_T")

class EventLoopThread:
    def __init__(self) -> None: ...
    def submit(self, caller: CallerContext, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]: ...

class InterruptError(Exception):
    error: BaseException
    def __init__(self, error: BaseException) -> None: ...

event_loop_thread: EventLoopThread
