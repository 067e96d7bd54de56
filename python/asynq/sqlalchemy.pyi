from typing import Any, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Session
from typing_extensions import Unpack

from ._row_groups import _ByColumn, _OfModels
from .loaders import Group
from .loaders._loader import _LoaderMethod

__all__ = ["group_of", "related", "row_by", "rows_by"]

_M = TypeVar("_M")
_K = TypeVar("_K")
_D = TypeVar("_D")
_V = TypeVar("_V")

__traceback_hide__: bool

def group_of(session: Session | AsyncSession) -> Group: ...

# The type of `Select` has other parameters in each version, so its rows are Any.
@overload
def row_by(
    rows: type[_M], column: None = None, **settings: Unpack[_ByColumn]
) -> _LoaderMethod[Any, _M]: ...
@overload
def row_by(
    rows: type[_M], column: None = None, *, default: _D, **settings: Unpack[_ByColumn]
) -> _LoaderMethod[Any, _M | _D]: ...
@overload
def row_by(
    rows: type[_M], column: InstrumentedAttribute[_K], **settings: Unpack[_ByColumn]
) -> _LoaderMethod[_K, _M]: ...
@overload
def row_by(
    rows: type[_M],
    column: InstrumentedAttribute[_K],
    *,
    default: _D,
    **settings: Unpack[_ByColumn],
) -> _LoaderMethod[_K, _M | _D]: ...
@overload
def row_by(
    rows: Any,
    column: InstrumentedAttribute[_K],
    *,
    default: Any = ...,
    **settings: Unpack[_ByColumn],
) -> _LoaderMethod[_K, Any]: ...
@overload
def rows_by(
    rows: type[_M], column: InstrumentedAttribute[_K], **settings: Unpack[_ByColumn]
) -> _LoaderMethod[_K, list[_M]]: ...
@overload
def rows_by(
    rows: Any, column: InstrumentedAttribute[_K], **settings: Unpack[_ByColumn]
) -> _LoaderMethod[_K, list[Any]]: ...
def related(
    relationship: InstrumentedAttribute[_V], **settings: Unpack[_OfModels]
) -> _LoaderMethod[Any, _V]: ...
