import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from ..async_task import AsyncTask
from ._loader import Loader
from .running_function import RunningFunction

__traceback_hide__: bool

HAS_EAGER_TASKS: bool

_T = TypeVar("_T")

def definition_context(
    loader: Loader[Any, Any],
    function: RunningFunction | None = None,
    caller: Context | None = None,
) -> Context: ...

class CallerContext:
    task: AsyncTask[Any] | None
    context: Context
    def __init__(
        self,
        loader: Loader[Any, Any],
        function: RunningFunction | None = None,
        task: AsyncTask[Any] | None = None,
        caller: Context | None = None,
    ) -> None: ...
    def run(self, function: Callable[..., _T], *args: Any) -> _T: ...
    def drive(self, coroutine: Coroutine[Any, Any, _T]) -> Coroutine[Any, Any, _T]: ...
    def start(
        self, coroutine: Coroutine[Any, Any, _T], is_eager: bool = False
    ) -> asyncio.Task[_T]: ...
