from contextvars import Context
from typing import Any

from .._asynq import LoaderHost
from ..async_task import AsyncTask
from ._loader import Loader
from .running_function import RunningFunction

__traceback_hide__: bool

class EventLoopHost(LoaderHost):
    is_held: bool
    is_nested: bool
    opener: tuple[AsyncTask[Any] | None, RunningFunction | None, Context | None]
    def __init__(self, *args: Any, **settings: Any) -> None: ...
    def nest(self) -> None: ...
    def end_round(self, loader: Loader[Any, Any]) -> None: ...
