from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .._asynq import LoaderHost
from ._loader import Loader
from .caller_context import CallerContext

__traceback_hide__: bool

_T = TypeVar("_T")

class PerLoop(Generic[_T]):
    def __init__(self, new: Callable[[], _T]) -> None: ...
    def of_running_loop(self) -> _T: ...

class EventLoopHost(LoaderHost):
    caller: CallerContext | None
    is_held: bool
    is_nested: bool
    def __init__(self, *args: Any, **settings: Any) -> None: ...
    def nest(self) -> None: ...
    def end_round(self, loader: Loader[Any, Any]) -> None: ...
