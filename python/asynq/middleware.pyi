from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeVar

from typing_extensions import TypeAlias

from .loaders.request_scope import request

__all__ = ["asgi", "django", "fastapi", "wsgi"]

_AsgiApp: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
_WsgiApp: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]
_Handler = TypeVar("_Handler", bound=Callable[[Any], Any])

__traceback_hide__: bool

def asgi(app: _AsgiApp, *, server_timing: bool = False) -> _AsgiApp: ...
def fastapi() -> AsyncIterator[request]: ...
def wsgi(app: _WsgiApp, *, server_timing: bool = False) -> _WsgiApp: ...
def django(get_response: _Handler) -> _Handler: ...
