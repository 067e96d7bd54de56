from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextvars import Context
from types import GenericAlias
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from typing_extensions import Never, TypeAlias, Unpack

from .._asynq import Limit, Load, LoaderBase
from ..aio import AsyncioCall
from ..async_task import AsyncTask
from ..contexts import AsyncContext
from ..futures import FutureBase
from .group import Group
from .per import Per
from .settings import Settings, _OfLoaders
from .stats import Stats

_K = TypeVar("_K")
_V = TypeVar("_V")
_D = TypeVar("_D")
_D_co = TypeVar("_D_co", covariant=True)
_K_contra = TypeVar("_K_contra", contravariant=True)

# Result of a batch function. An exception is the error of its key.
_Answer: TypeAlias = Mapping[_K, _V | Exception] | Sequence[_V | Exception]
_Returned: TypeAlias = _Answer[_K, _V] | Awaitable[_Answer[_K, _V]]

__traceback_hide__: bool

class Loader(LoaderBase, Generic[_K, _V]):
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    allow_sync_call: bool
    fn: Any
    settings: Settings
    name: str
    limit: Limit | None
    group: Group | None
    group_limit: Limit | None
    is_asynq_function: bool
    is_coroutine_function: bool
    per: Per
    _context: Context
    @overload
    def __init__(
        self, fn: Callable[[list[_K]], _Returned[_K, _V]], **settings: Unpack[_OfLoaders]
    ) -> None: ...
    @overload
    def __init__(
        self,
        fn: Callable[[list[_K]], _Returned[_K, _V]],
        *,
        default: _V,
        **settings: Unpack[_OfLoaders],
    ) -> None: ...
    @overload
    def __init__(
        self,
        fn: Callable[[list[_K]], _Returned[_K, _V]],
        *,
        default_factory: Callable[[], _V],
        **settings: Unpack[_OfLoaders],
    ) -> None: ...
    def __call__(self, key: _K) -> _V: ...
    def asynq(self, key: _K) -> FutureBase[_V]: ...
    def asyncio(self, key: _K) -> AsyncioCall[_V]: ...
    @property
    def load_many(self) -> _LoadMany[_K, _V]: ...
    def scope(self) -> AsyncContext: ...
    def prime(self, key: _K, value: _V | Exception) -> None: ...
    def prime_many(
        self, values: Mapping[_K, _V | Exception] | Iterable[tuple[_K, _V | Exception]]
    ) -> None: ...
    def clear(self, key: _K) -> None: ...
    def clear_all(self) -> None: ...
    @property
    def stats(self) -> Stats: ...
    def is_pure_async_fn(self) -> bool: ...
    def __set_name__(self, owner: type[Any], name: str) -> None: ...
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> Loader[Any, Any]: ...
    # Without __set__: to type checkers, a data descriptor could not be replaced in a test.
    def __reduce__(self) -> str | tuple[Any, ...]: ...

class _LoadMany(Protocol[_K_contra, _V]):
    @overload
    def __call__(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[False] = False
    ) -> list[_V]: ...
    @overload
    def __call__(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[True]
    ) -> list[_V | Exception]: ...
    @overload
    def asynq(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[False] = False
    ) -> AsyncTask[list[_V]]: ...
    @overload
    def asynq(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[True]
    ) -> AsyncTask[list[_V | Exception]]: ...
    @overload
    def asyncio(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[False] = False
    ) -> Coroutine[Any, Any, list[_V]]: ...
    @overload
    def asyncio(
        self, keys: Iterable[_K_contra], *, return_exceptions: Literal[True]
    ) -> Coroutine[Any, Any, list[_V | Exception]]: ...

# A loader in a class body.
class _LoaderMethod(Protocol[_K, _V]):
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Loader[_K, _V]: ...

class _Decorator(Protocol[_D_co]):
    @overload
    def __call__(
        self, fn: classmethod[Any, [list[_K]], _Returned[_K, _V]], /
    ) -> _LoaderMethod[_K, _V | _D_co]: ...
    @overload
    def __call__(
        self, fn: Callable[[list[_K]], _Returned[_K, _V]], /
    ) -> Loader[_K, _V | _D_co]: ...
    @overload
    def __call__(
        self, fn: Callable[[Any, list[_K]], _Returned[_K, _V]], /
    ) -> _LoaderMethod[_K, _V | _D_co]: ...

@overload
def loader(
    fn: classmethod[Any, [list[_K]], _Returned[_K, _V]], **settings: Unpack[_OfLoaders]
) -> _LoaderMethod[_K, _V]: ...
@overload
def loader(
    fn: Callable[[Any, list[_K]], _Returned[_K, _V]], **settings: Unpack[_OfLoaders]
) -> _LoaderMethod[_K, _V]: ...
@overload
def loader(
    fn: Callable[[list[_K]], _Returned[_K, _V]], **settings: Unpack[_OfLoaders]
) -> Loader[_K, _V]: ...
@overload
def loader(
    fn: Callable[[list[_K]], _Returned[_K, _V]], *, default: _D, **settings: Unpack[_OfLoaders]
) -> Loader[_K, _V | _D]: ...
@overload
def loader(
    fn: Callable[[list[_K]], _Returned[_K, _V]],
    *,
    default_factory: Callable[[], _D],
    **settings: Unpack[_OfLoaders],
) -> Loader[_K, _V | _D]: ...
@overload
def loader(fn: None = None, **settings: Unpack[_OfLoaders]) -> _Decorator[Never]: ...
@overload
def loader(fn: None = None, *, default: _D, **settings: Unpack[_OfLoaders]) -> _Decorator[_D]: ...
@overload
def loader(
    fn: None = None, *, default_factory: Callable[[], _D], **settings: Unpack[_OfLoaders]
) -> _Decorator[_D]: ...
def await_load(load: Load[_V]) -> _V: ...
