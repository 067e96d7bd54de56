from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from types import GenericAlias
from typing import Any, Generic, Protocol, TypeVar, overload

from typing_extensions import ParamSpec, Self, TypeAlias

from .async_task import AsyncTask
from .decorators import async_proxy
from .futures import FutureBase

__all__ = ["END_OF_GENERATOR", "Value", "async_generator", "list_of_generator", "take_first"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

class _EndOfGenerator: ...

END_OF_GENERATOR: _EndOfGenerator

class Value(Generic[_T_co]):
    value: _T_co
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    def __init__(self, value: _T_co) -> None: ...

# The objects that a generator can yield.
_Awaited: TypeAlias = FutureBase[Any] | list[Any] | tuple[Any, ...] | dict[Any, Any] | None

class _MakeGenerator(Protocol):
    @overload
    def __call__(
        self, fn: Callable[_P, Iterator[Value[_T] | _Awaited]]
    ) -> Callable[_P, _AsyncGenerator[_T]]: ...
    @overload
    def __call__(
        self, fn: Callable[_P, AsyncIterator[Value[_T]]]
    ) -> Callable[_P, _AsyncGenerator[_T]]: ...
    @overload
    def __call__(
        self, fn: Callable[_P, AsyncIterator[_T]]
    ) -> Callable[_P, _AsyncGenerator[_T]]: ...

def async_generator() -> _MakeGenerator: ...

class _AsyncGenerator(Generic[_T_co]):
    generator: Generator[Any, Any, Any] | AsyncGenerator[Any, Any]
    last_task: FutureBase[Any] | None
    is_stopped: bool
    def __init__(self, generator: Generator[Any, Any, Any] | AsyncGenerator[Any, Any]) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> FutureBase[_T_co]: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> _T_co: ...
    async def aclose(self) -> None: ...
    def next(self) -> FutureBase[_T_co]: ...
    @async_proxy()
    def send(self, value: Any) -> FutureBase[_T_co]: ...

class _ListOfGenerator(Protocol):
    def __call__(self, generator: Iterable[FutureBase[_T]]) -> list[_T]: ...
    def asynq(self, generator: Iterable[FutureBase[_T]]) -> AsyncTask[list[_T]]: ...
    def asyncio(self, generator: Iterable[FutureBase[_T]]) -> Coroutine[Any, Any, list[_T]]: ...

class _TakeFirst(Protocol):
    def __call__(self, generator: Iterable[FutureBase[_T]], n: int) -> list[_T]: ...
    def asynq(self, generator: Iterable[FutureBase[_T]], n: int) -> AsyncTask[list[_T]]: ...
    def asyncio(
        self, generator: Iterable[FutureBase[_T]], n: int
    ) -> Coroutine[Any, Any, list[_T]]: ...

list_of_generator: _ListOfGenerator
take_first: _TakeFirst

class _NativeAsyncGenerator(_AsyncGenerator[_T_co]): ...
