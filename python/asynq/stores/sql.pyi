from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload

from typing_extensions import Never, TypeAlias, Unpack

from ..loaders import Loader
from ..loaders.settings import _OfRows

_T = TypeVar("_T")
_D = TypeVar("_D")
_K = TypeVar("_K")
_V = TypeVar("_V")
_D_co = TypeVar("_D_co", covariant=True)

# Result of a batch function. An exception is the error of its key.
_Answer: TypeAlias = Mapping[_K, _V | Exception] | Sequence[_V | Exception]

__traceback_hide__: bool

class _Connections(Protocol):
    def run(self, work: Callable[[Any], _T]) -> _T: ...
    def close(self) -> None: ...

class _Decorator(Protocol[_D_co]):
    def __call__(
        self, function: Callable[[Any, list[_K]], _Answer[_K, _V]], /
    ) -> Loader[_K, _V | _D_co]: ...

# A type checker cannot know the type of a column, so keys are Any.
class SQLStore:
    def __init__(self, connections: _Connections, blocking: bool = True) -> None: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        row: None = None,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, dict[str, Any]]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        row: None = None,
        default: _D,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, dict[str, Any] | _D]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        row: Callable[..., _T],
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, _T]: ...
    @overload
    def row_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        row: Callable[..., _T],
        default: _D,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, _T | _D]: ...
    @overload
    def rows_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        order_by: str | Iterable[str] | None = None,
        row: None = None,
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, list[dict[str, Any]]]: ...
    @overload
    def rows_by(
        self,
        table: str,
        column: str | Iterable[str],
        *,
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        order_by: str | Iterable[str] | None = None,
        row: Callable[..., _T],
        **settings: Unpack[_OfRows],
    ) -> Loader[Any, list[_T]]: ...
    @overload
    def loader(
        self, function: Callable[[Any, list[_K]], _Answer[_K, _V]], /, **settings: Unpack[_OfRows]
    ) -> Loader[_K, _V]: ...
    @overload
    def loader(
        self,
        function: Callable[[Any, list[_K]], _Answer[_K, _V]],
        /,
        *,
        default: _D,
        **settings: Unpack[_OfRows],
    ) -> Loader[_K, _V | _D]: ...
    @overload
    def loader(
        self,
        function: Callable[[Any, list[_K]], _Answer[_K, _V]],
        /,
        *,
        default_factory: Callable[[], _D],
        **settings: Unpack[_OfRows],
    ) -> Loader[_K, _V | _D]: ...
    @overload
    def loader(
        self, function: None = None, /, **settings: Unpack[_OfRows]
    ) -> _Decorator[Never]: ...
    @overload
    def loader(
        self, function: None = None, /, *, default: _D, **settings: Unpack[_OfRows]
    ) -> _Decorator[_D]: ...
    @overload
    def loader(
        self,
        function: None = None,
        /,
        *,
        default_factory: Callable[[], _D],
        **settings: Unpack[_OfRows],
    ) -> _Decorator[_D]: ...
    def close(self) -> None: ...

def by_position(
    keys: Sequence[tuple[int, tuple[Any, ...]]], answer: Iterable[Sequence[Any]]
) -> dict[int, list[list[Any]]]: ...
