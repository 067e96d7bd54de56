from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

from typing_extensions import TypeAlias, Unpack

from ._row_groups import _ByColumn, _OfModels
from .loaders import Loader

__all__ = ["related", "row_by", "rows_by"]

_M = TypeVar("_M")
_M_co = TypeVar("_M_co", covariant=True)
_D = TypeVar("_D")

__traceback_hide__: bool

# Managers and querysets have this method, also for type checkers without the stubs of Django.
class _HasRows(Protocol[_M_co]):
    def get(self, *args: Any, **kwargs: Any) -> _M_co: ...

class _ByField(_ByColumn, total=False):
    max_in_flight: int | None

class _OfRelations(_OfModels, total=False):
    max_in_flight: int | None

_Rows: TypeAlias = type[_M] | _HasRows[_M] | Callable[[], _HasRows[_M]]

# A type checker cannot know the type of a field, so keys are Any.
@overload
def row_by(rows: _Rows[_M], field: str = "pk", **settings: Unpack[_ByField]) -> Loader[Any, _M]: ...
@overload
def row_by(
    rows: _Rows[_M], field: str = "pk", *, default: _D, **settings: Unpack[_ByField]
) -> Loader[Any, _M | _D]: ...
def rows_by(rows: _Rows[_M], field: str, **settings: Unpack[_ByField]) -> Loader[Any, list[_M]]: ...
def related(
    model: type[_M], relation: str, rows: _Rows[Any] | None = None, **settings: Unpack[_OfRelations]
) -> Loader[_M, Any]: ...
