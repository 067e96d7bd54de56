from collections.abc import Awaitable, Callable
from typing import Any

from typing_extensions import TypeAlias

from .explanation import explain

_Send: TypeAlias = Callable[[Any], Awaitable[None]]

__traceback_hide__: bool

class ServerTiming(explain):
    def __init__(self) -> None: ...
    def value(self) -> str: ...
    def asgi(self, send: _Send) -> _Send: ...
    def wsgi(self, start_response: Callable[..., Any]) -> Callable[..., Any]: ...
    def add_to(self, response: Any) -> None: ...
