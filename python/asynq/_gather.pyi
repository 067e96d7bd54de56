from collections.abc import Coroutine, Generator
from types import GenericAlias
from typing import Any, Generic, Literal, TypeVar, final, overload

from typing_extensions import Self, TypeAlias

from .async_task import AsyncTask
from .futures import FutureBase

__traceback_hide__: bool

_K = TypeVar("_K")
_T = TypeVar("_T")
_T1 = TypeVar("_T1")
_T2 = TypeVar("_T2")
_T3 = TypeVar("_T3")
_T4 = TypeVar("_T4")
_T5 = TypeVar("_T5")
_T_co = TypeVar("_T_co", covariant=True)

@final
class Gather(Generic[_T_co]):
    def __new__(cls, awaitables: tuple[Any, ...], return_exceptions: bool = False) -> Self: ...
    def __class_getitem__(cls, item: Any) -> GenericAlias: ...
    def __await__(self) -> Generator[Any, Any, _T_co]: ...
    def __iter__(self) -> Generator[Self, object, _T_co]: ...

# The objects that can be gathered.
_One: TypeAlias = FutureBase[_T] | Gather[_T] | Coroutine[Any, Any, _T]
# Lists and dicts are invariant: one of tasks is none of futures.
_List: TypeAlias = list[AsyncTask[_T]] | list[_One[_T]]
_Dict: TypeAlias = dict[_K, AsyncTask[_T]] | dict[_K, _One[_T]]

# mypy objects if two overloads accept the same call and differ in the result. Here the first that
# fits is meant, as for `asyncio.gather`.
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> Gather[tuple[_T1]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> Gather[tuple[_T1, _T2]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> Gather[tuple[_T1, _T2, _T3]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    a4: _One[_T4],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> Gather[tuple[_T1, _T2, _T3, _T4]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    a4: _One[_T4],
    a5: _One[_T5],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> Gather[tuple[_T1, _T2, _T3, _T4, _T5]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    *awaitables: _One[_T], return_exceptions: Literal[False] = False
) -> Gather[list[_T]]: ...
@overload
def gather(
    *awaitables: _List[_T], return_exceptions: Literal[False] = False
) -> Gather[list[list[_T]]]: ...
@overload
def gather(
    *awaitables: tuple[_One[_T], ...], return_exceptions: Literal[False] = False
) -> Gather[list[tuple[_T, ...]]]: ...
@overload
def gather(
    *awaitables: _Dict[_K, _T], return_exceptions: Literal[False] = False
) -> Gather[list[dict[_K, _T]]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    /,
    *,
    return_exceptions: bool,
) -> Gather[tuple[_T1 | BaseException]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    /,
    *,
    return_exceptions: bool,
) -> Gather[tuple[_T1 | BaseException, _T2 | BaseException]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    /,
    *,
    return_exceptions: bool,
) -> Gather[tuple[_T1 | BaseException, _T2 | BaseException, _T3 | BaseException]]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    a4: _One[_T4],
    /,
    *,
    return_exceptions: bool,
) -> Gather[
    tuple[_T1 | BaseException, _T2 | BaseException, _T3 | BaseException, _T4 | BaseException]
]: ...
@overload
def gather(  # type: ignore[overload-overlap]
    a1: _One[_T1],
    a2: _One[_T2],
    a3: _One[_T3],
    a4: _One[_T4],
    a5: _One[_T5],
    /,
    *,
    return_exceptions: bool,
) -> Gather[
    tuple[
        _T1 | BaseException,
        _T2 | BaseException,
        _T3 | BaseException,
        _T4 | BaseException,
        _T5 | BaseException,
    ]
]: ...
@overload
def gather(*awaitables: _One[_T], return_exceptions: bool) -> Gather[list[_T | BaseException]]: ...
@overload
def gather(
    *awaitables: _List[_T], return_exceptions: bool
) -> Gather[list[list[_T | BaseException]]]: ...
@overload
def gather(
    *awaitables: tuple[_One[_T], ...], return_exceptions: bool
) -> Gather[list[tuple[_T | BaseException, ...]]]: ...
@overload
def gather(
    *awaitables: _Dict[_K, _T], return_exceptions: bool
) -> Gather[list[dict[_K, _T | BaseException]]]: ...
@overload
def gather(
    *awaitables: _One[Any] | list[Any] | tuple[Any, ...] | dict[Any, Any] | None,
    return_exceptions: bool = False,
) -> Gather[list[Any]]: ...
