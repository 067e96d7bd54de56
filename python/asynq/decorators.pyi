import builtins
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import GenericAlias
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, overload

from typing_extensions import Concatenate, ParamSpec, TypeAlias, disjoint_base

from ._inspection import get_async_fn as get_async_fn
from ._inspection import get_async_or_sync_fn as get_async_or_sync_fn
from ._inspection import has_async_fn as has_async_fn
from ._inspection import is_async_fn as is_async_fn
from ._inspection import is_pure_async_fn as is_pure_async_fn
from .async_task import AsyncTask
from .asynq_to_async import convert_asynq_to_async as convert_asynq_to_async
from .futures import Future, FutureBase

__all__ = [
    "AsyncAndSyncPairDecorator",
    "AsyncAndSyncPairDecoratorBinder",
    "AsyncAndSyncPairProxyDecorator",
    "AsyncDecorator",
    "AsyncDecoratorBinder",
    "AsyncProxyDecorator",
    "AsyncWrapper",
    "DecoratorBase",
    "DecoratorBinder",
    "PureAsyncDecorator",
    "PureAsyncDecoratorBinder",
    "async_call",
    "async_proxy",
    "asyncio_call",
    "asynq",
    "convert_asynq_to_async",
    "get_async_fn",
    "get_async_or_sync_fn",
    "has_async_fn",
    "is_async_fn",
    "is_pure_async_fn",
    "lazy",
    "make_async_decorator",
]

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_S = TypeVar("_S")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_AsyncioFn: TypeAlias = Callable[..., Awaitable[Any]]

# The functions of `@asynq()`: `_T_co` is the type of their value, `_P` are their parameters.
#
# `__get__` must infer the kind of a function from the types, because type checkers remove
# `@classmethod` and `@staticmethod` before they apply the decorator above them. The overloads are,
# in this order: a class method; a function accessed on the class; a method of an object; a static
# method.

@disjoint_base
class DecoratorBinder:
    def __init__(self, decorator: Any, instance: Any = None) -> None: ...
    def __class_getitem__(cls, item: Any) -> GenericAlias: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    @property
    def decorator(self) -> Any: ...
    @property
    def instance(self) -> Any: ...
    def name(self) -> str: ...
    @staticmethod
    def is_decorator() -> bool: ...

@disjoint_base
class DecoratorBase:
    binder_cls: ClassVar[builtins.type[DecoratorBinder]]
    fn: Any
    type: builtins.type[Any] | None
    __name__: str
    __qualname__: str
    def __init__(self, fn: Callable[..., Any]) -> None: ...
    def __class_getitem__(cls, item: Any) -> GenericAlias: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, owner: Any, cls: Any = None, /) -> Any: ...
    def name(self) -> str: ...
    @staticmethod
    def is_decorator() -> bool: ...

class PureAsyncDecoratorBinder(DecoratorBinder, Generic[_T_co, _P]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> AsyncTask[_T_co]: ...
    @staticmethod
    def is_pure_async_fn() -> bool: ...

@disjoint_base
class PureAsyncDecorator(DecoratorBase, Generic[_T_co, _P]):
    task_cls: builtins.type[AsyncTask[Any]] | None
    kwargs: dict[str, Any]
    asyncio_fn: _AsyncioFn | None
    needs_wrapper: bool
    allow_sync_call: bool
    @overload
    def __init__(
        self,
        fn: Callable[_P, Generator[Any, Any, _T_co]],
        task_cls: builtins.type[AsyncTask[Any]] | None,
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        fn: Callable[_P, _T_co],
        task_cls: builtins.type[AsyncTask[Any]] | None,
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> AsyncTask[_T_co]: ...
    @overload
    def __get__(  # type: ignore[misc]
        self: Callable[Concatenate[builtins.type[_S], _Q], Any],
        owner: _S | None,
        cls: builtins.type[_S],
        /,
    ) -> PureAsyncDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(
        self, owner: None, cls: builtins.type[Any], /
    ) -> PureAsyncDecoratorBinder[_T_co, _P]: ...
    @overload
    def __get__(
        self: Callable[Concatenate[_S, _Q], Any], owner: _S, cls: Any = None, /
    ) -> PureAsyncDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: object, cls: Any = None, /) -> PureAsyncDecoratorBinder[_T_co, _P]: ...
    @staticmethod
    def name() -> str: ...
    @staticmethod
    def is_pure_async_fn() -> bool: ...
    def asyncio(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _T_co]: ...
    def _call_pure(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any: ...

@disjoint_base
class AsyncDecoratorBinder(DecoratorBinder, Generic[_T_co, _P]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> AsyncTask[_T_co]: ...
    def asyncio(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _T_co]: ...
    @staticmethod
    def is_pure_async_fn() -> bool: ...

@disjoint_base
class AsyncDecorator(PureAsyncDecorator[_T_co, _P]):
    @overload
    def __init__(
        self,
        fn: Callable[_P, Generator[Any, Any, _T_co]],
        cls: builtins.type[AsyncTask[Any]] | None,
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        fn: Callable[_P, _T_co],
        cls: builtins.type[AsyncTask[Any]] | None,
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...  # type: ignore[override]
    @overload  # type: ignore[override]
    def __get__(  # type: ignore[misc]
        self: Callable[Concatenate[builtins.type[_S], _Q], Any],
        owner: _S | None,
        cls: builtins.type[_S],
        /,
    ) -> AsyncDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(
        self, owner: None, cls: builtins.type[Any], /
    ) -> AsyncDecoratorBinder[_T_co, _P]: ...
    @overload
    def __get__(
        self: Callable[Concatenate[_S, _Q], Any], owner: _S, cls: Any = None, /
    ) -> AsyncDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: object, cls: Any = None, /) -> AsyncDecoratorBinder[_T_co, _P]: ...
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> AsyncTask[_T_co]: ...

class AsyncAndSyncPairDecoratorBinder(AsyncDecoratorBinder[_T_co, _P]):
    sync_fn: Any

class AsyncAndSyncPairDecorator(AsyncDecorator[_T_co, _P]):
    sync_fn: Any
    @overload
    def __init__(
        self,
        fn: Callable[_P, Generator[Any, Any, _T_co]],
        cls: builtins.type[AsyncTask[Any]] | None,
        sync_fn: Callable[..., Any],
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        fn: Callable[_P, _T_co],
        cls: builtins.type[AsyncTask[Any]] | None,
        sync_fn: Callable[..., Any],
        kwargs: dict[str, Any] | None = None,
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...

class _AsyncProxyBinder(AsyncDecoratorBinder[_T_co, _P]):
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> FutureBase[_T_co]: ...  # type: ignore[override]

class AsyncProxyDecorator(AsyncDecorator[_T_co, _P]):
    def __init__(
        self,
        fn: Callable[_P, FutureBase[_T_co]],
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...
    @overload  # type: ignore[override]
    def __get__(  # type: ignore[misc]
        self: Callable[Concatenate[builtins.type[_S], _Q], Any],
        owner: _S | None,
        cls: builtins.type[_S],
        /,
    ) -> _AsyncProxyBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: None, cls: builtins.type[Any], /) -> _AsyncProxyBinder[_T_co, _P]: ...
    @overload
    def __get__(
        self: Callable[Concatenate[_S, _Q], Any], owner: _S, cls: Any = None, /
    ) -> _AsyncProxyBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: object, cls: Any = None, /) -> _AsyncProxyBinder[_T_co, _P]: ...
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> FutureBase[_T_co]: ...  # type: ignore[override]

class AsyncAndSyncPairProxyDecorator(AsyncProxyDecorator[_T_co, _P]):
    sync_fn: Any
    def __init__(
        self,
        fn: Callable[_P, FutureBase[_T_co]],
        sync_fn: Callable[..., Any],
        asyncio_fn: _AsyncioFn | None = None,
        allow_sync_call: bool = False,
    ) -> None: ...

class AsyncWrapper(DecoratorBase, Generic[_T_co, _P]):
    wrapper_fn: Callable[_P, FutureBase[_T_co]]
    function_name: str
    def __init__(
        self, fn: Callable[..., Any], wrapper_fn: Callable[_P, FutureBase[_T_co]], name: str
    ) -> None: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...
    @overload
    def __get__(  # type: ignore[misc]
        self: Callable[Concatenate[builtins.type[_S], _Q], Any],
        owner: _S | None,
        cls: builtins.type[_S],
        /,
    ) -> _AsyncProxyBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: None, cls: builtins.type[Any], /) -> _AsyncProxyBinder[_T_co, _P]: ...
    @overload
    def __get__(
        self: Callable[Concatenate[_S, _Q], Any], owner: _S, cls: Any = None, /
    ) -> _AsyncProxyBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: object, cls: Any = None, /) -> _AsyncProxyBinder[_T_co, _P]: ...
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> FutureBase[_T_co]: ...
    async def asyncio(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...
    def is_pure_async_fn(self) -> bool: ...

# Decorators

# The return type of an undecorated function. Mypy does not apply it to generator and coroutine
# functions, which therefore need the overloads that follow.
_Body: TypeAlias = Generator[Any, Any, _T] | Coroutine[Any, Any, _T] | _T

class _MakeAsync(Protocol):
    @overload
    def __call__(self, fn: Callable[_P, _Body[_T]]) -> AsyncDecorator[_T, _P]: ...
    @overload
    def __call__(self, fn: Callable[_P, Generator[Any, Any, _T]]) -> AsyncDecorator[_T, _P]: ...
    @overload
    def __call__(self, fn: Callable[_P, Coroutine[Any, Any, _T]]) -> AsyncDecorator[_T, _P]: ...

class _MakePure(Protocol):
    @overload
    def __call__(self, fn: Callable[_P, _Body[_T]]) -> PureAsyncDecorator[_T, _P]: ...
    @overload
    def __call__(self, fn: Callable[_P, Generator[Any, Any, _T]]) -> PureAsyncDecorator[_T, _P]: ...
    @overload
    def __call__(self, fn: Callable[_P, Coroutine[Any, Any, _T]]) -> PureAsyncDecorator[_T, _P]: ...

class _MakePair(Protocol):
    @overload
    def __call__(self, fn: Callable[_P, _Body[_T]]) -> AsyncAndSyncPairDecorator[_T, _P]: ...
    @overload
    def __call__(
        self, fn: Callable[_P, Generator[Any, Any, _T]]
    ) -> AsyncAndSyncPairDecorator[_T, _P]: ...
    @overload
    def __call__(
        self, fn: Callable[_P, Coroutine[Any, Any, _T]]
    ) -> AsyncAndSyncPairDecorator[_T, _P]: ...

class _MakeProxy(Protocol):
    def __call__(self, fn: Callable[_P, FutureBase[_T]]) -> AsyncProxyDecorator[_T, _P]: ...

class _MakePairProxy(Protocol):
    def __call__(
        self, fn: Callable[_P, FutureBase[_T]]
    ) -> AsyncAndSyncPairProxyDecorator[_T, _P]: ...

class _MakePureProxy(Protocol):
    def __call__(self, fn: Callable[_P, FutureBase[_T]]) -> Callable[_P, FutureBase[_T]]: ...

@overload
def asynq(
    pure: Literal[False] = False,
    sync_fn: None = None,
    cls: type[AsyncTask[Any]] = ...,
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
) -> _MakeAsync: ...
@overload
def asynq(
    pure: Literal[False] = False,
    *,
    sync_fn: Callable[..., Any],
    cls: type[AsyncTask[Any]] = ...,
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
) -> _MakePair: ...
@overload
def asynq(
    pure: Literal[True],
    sync_fn: None = None,
    cls: type[AsyncTask[Any]] = ...,
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
    **kwargs: Any,
) -> _MakePure: ...
@overload
def async_proxy(
    pure: Literal[False] = False,
    sync_fn: None = None,
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
) -> _MakeProxy: ...
@overload
def async_proxy(
    pure: Literal[False] = False,
    *,
    sync_fn: Callable[..., Any],
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
) -> _MakePairProxy: ...
@overload
def async_proxy(
    pure: Literal[True],
    sync_fn: None = None,
    asyncio_fn: _AsyncioFn | None = None,
    allow_sync_call: bool = False,
) -> _MakePureProxy: ...
def make_async_decorator(
    fn: Callable[..., Any], wrapper_fn: Callable[_P, FutureBase[_T]], name: str
) -> AsyncWrapper[_T, _P]: ...
def lazy(fn: Callable[_P, _T]) -> Callable[_P, Future[_T]]: ...

# Calls

class _AsyncCall(Protocol):
    @overload
    def __call__(
        self, fn: Callable[_P, FutureBase[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T: ...
    @overload
    def __call__(self, fn: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T: ...
    @overload
    def asynq(
        self, fn: Callable[_P, FutureBase[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> FutureBase[_T]: ...
    @overload
    def asynq(
        self, fn: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> FutureBase[_T]: ...
    @overload
    def asyncio(
        self, fn: Callable[_P, FutureBase[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Coroutine[Any, Any, _T]: ...
    @overload
    def asyncio(
        self, fn: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Coroutine[Any, Any, _T]: ...

async_call: _AsyncCall

@overload
async def asyncio_call(
    fn: Callable[_P, FutureBase[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T: ...
@overload
async def asyncio_call(fn: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T: ...
