from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, overload

from typing_extensions import Unpack

from ..loaders import Loader
from ..loaders.settings import _OfRows

_T = TypeVar("_T")
_D = TypeVar("_D")

__traceback_hide__: bool

class _Connections(Protocol):
    def run(self, work: Callable[[Any], _T]) -> _T: ...
    def close(self) -> None: ...

# A type checker cannot know the type of a column, so keys are Any.
class SQLStore:
    def __init__(self, connections: _Connections, blocking: bool = True) -> None: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        row: None = None,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, dict[str, Any]]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        row: None = None,
        default: _D,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, dict[str, Any] | _D]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        row: Callable[..., _T],
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, _T]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        row: Callable[..., _T],
        default: _D,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, _T | _D]: ...
    @overload
    def rows_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        order_by: str | Iterable[str] | None = None,
        row: None = None,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, list[dict[str, Any]]]: ...
    @overload
    def rows_by(
        self,
        table: str,
        column: str,
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        order_by: str | Iterable[str] | None = None,
        row: Callable[..., _T],
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, list[_T]]: ...
    def close(self) -> None: ...

def quoted(name: str) -> str: ...
