from typing import Any

from .._asynq import LoaderHost
from ._loader import Loader
from .caller_context import CallerContext

__traceback_hide__: bool

class EventLoopHost(LoaderHost):
    caller: CallerContext | None
    is_held: bool
    is_nested: bool
    def __init__(self, *args: Any, **settings: Any) -> None: ...
    def nest(self) -> None: ...
    def end_round(self, loader: Loader[Any, Any]) -> None: ...
