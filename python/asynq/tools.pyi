from collections.abc import Callable, Coroutine, Hashable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, overload

from typing_extensions import ParamSpec

from ._async_event_hook import AsyncEventHook as AsyncEventHook
from ._deduplicate import DeduplicateDecorator as DeduplicateDecorator
from ._deduplicate import DeduplicateDecoratorBinder as DeduplicateDecoratorBinder
from ._deduplicate import deduplicate as deduplicate
from ._inspection import _AsyncFunction
from ._vary_on import _Sources
from .async_task import AsyncTask
from .contexts import AsyncContext
from .decorators import AsyncDecorator
from .futures import FutureBase

__all__ = [
    "AsyncEventHook",
    "AsyncTimer",
    "DeduplicateDecorator",
    "DeduplicateDecoratorBinder",
    "acached_per_instance",
    "afilter",
    "afilterfalse",
    "alazy_constant",
    "alru_cache",
    "amap",
    "amax",
    "amin",
    "aretry",
    "asift",
    "asorted",
    "call_with_context",
    "deduplicate",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_U = TypeVar("_U")
_T_co = TypeVar("_T_co", covariant=True)
_T_contra = TypeVar("_T_contra", contravariant=True)

# An asynchronous function of one argument.
class _FunctionOfOne(Protocol[_T_contra, _T_co]):
    def asynq(self, element: _T_contra, /) -> FutureBase[_T_co]: ...

# A protocol for each function, with its three kinds of calls: the type of a decorated function
# cannot be generic.

class _Map(Protocol):
    def __call__(self, function: _FunctionOfOne[_T, _U], sequence: Iterable[_T]) -> list[_U]: ...
    def asynq(
        self, function: _FunctionOfOne[_T, _U], sequence: Iterable[_T]
    ) -> AsyncTask[list[_U]]: ...
    def asyncio(
        self, function: _FunctionOfOne[_T, _U], sequence: Iterable[_T]
    ) -> Coroutine[Any, Any, list[_U]]: ...

class _Filter(Protocol):
    def __call__(
        self, function: _FunctionOfOne[_T, object] | None, sequence: Iterable[_T]
    ) -> list[_T]: ...
    def asynq(
        self, function: _FunctionOfOne[_T, object] | None, sequence: Iterable[_T]
    ) -> AsyncTask[list[_T]]: ...
    def asyncio(
        self, function: _FunctionOfOne[_T, object] | None, sequence: Iterable[_T]
    ) -> Coroutine[Any, Any, list[_T]]: ...

class _FilterFalse(Protocol):
    def __call__(
        self, function: _FunctionOfOne[_T, object], sequence: Iterable[_T]
    ) -> list[_T]: ...
    def asynq(
        self, function: _FunctionOfOne[_T, object], sequence: Iterable[_T]
    ) -> AsyncTask[list[_T]]: ...
    def asyncio(
        self, function: _FunctionOfOne[_T, object], sequence: Iterable[_T]
    ) -> Coroutine[Any, Any, list[_T]]: ...

class _Sift(Protocol):
    def __call__(
        self, pred: _FunctionOfOne[_T, object], items: Iterable[_T]
    ) -> tuple[list[_T], list[_T]]: ...
    def asynq(
        self, pred: _FunctionOfOne[_T, object], items: Iterable[_T]
    ) -> AsyncTask[tuple[list[_T], list[_T]]]: ...
    def asyncio(
        self, pred: _FunctionOfOne[_T, object], items: Iterable[_T]
    ) -> Coroutine[Any, Any, tuple[list[_T], list[_T]]]: ...

class _Sorted(Protocol):
    def __call__(
        self,
        iterable: Iterable[_T],
        key: _FunctionOfOne[_T, Any] | None = None,
        reverse: bool = False,
    ) -> list[_T]: ...
    def asynq(
        self,
        iterable: Iterable[_T],
        key: _FunctionOfOne[_T, Any] | None = None,
        reverse: bool = False,
    ) -> AsyncTask[list[_T]]: ...
    def asyncio(
        self,
        iterable: Iterable[_T],
        key: _FunctionOfOne[_T, Any] | None = None,
        reverse: bool = False,
    ) -> Coroutine[Any, Any, list[_T]]: ...

class _Extreme(Protocol):
    @overload
    def __call__(
        self, iterable: Iterable[_T], /, *, key: _FunctionOfOne[_T, Any] | None = None
    ) -> _T: ...
    @overload
    def __call__(
        self, first: _T, second: _T, /, *others: _T, key: _FunctionOfOne[_T, Any] | None = None
    ) -> _T: ...
    @overload
    def asynq(
        self, iterable: Iterable[_T], /, *, key: _FunctionOfOne[_T, Any] | None = None
    ) -> AsyncTask[_T]: ...
    @overload
    def asynq(
        self, first: _T, second: _T, /, *others: _T, key: _FunctionOfOne[_T, Any] | None = None
    ) -> AsyncTask[_T]: ...
    @overload
    def asyncio(
        self, iterable: Iterable[_T], /, *, key: _FunctionOfOne[_T, Any] | None = None
    ) -> Coroutine[Any, Any, _T]: ...
    @overload
    def asyncio(
        self, first: _T, second: _T, /, *others: _T, key: _FunctionOfOne[_T, Any] | None = None
    ) -> Coroutine[Any, Any, _T]: ...

class _CallWithContext(Protocol):
    def __call__(
        self,
        context: AbstractContextManager[Any],
        fn: _AsyncFunction[_P, _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T: ...
    def asynq(
        self,
        context: AbstractContextManager[Any],
        fn: _AsyncFunction[_P, _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> AsyncTask[_T]: ...
    def asyncio(
        self,
        context: AbstractContextManager[Any],
        fn: _AsyncFunction[_P, _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Coroutine[Any, Any, _T]: ...

amap: _Map
afilter: _Filter
afilterfalse: _FilterFalse
asift: _Sift
asorted: _Sorted
amax: _Extreme
amin: _Extreme
call_with_context: _CallWithContext

# Decorators

class _CachedPerInstance(AsyncDecorator[_T_co, _P]):
    __acached_per_instance_cache__: dict[int, tuple[Any, dict[Hashable, Any]]]

class _LazyConstant(AsyncDecorator[_T_co, []]):
    alazy_constant_refresh_time: int
    alazy_constant_cached_value: _T_co | None
    def dirty(self) -> None: ...

class _Retried(AsyncDecorator[_T_co, _P]):
    original_fn: Any

class _CachePerInstance(Protocol):
    def __call__(self, fn: _AsyncFunction[_P, _T]) -> _CachedPerInstance[_T, _P]: ...

class _Cache(Protocol):
    def __call__(self, fn: _AsyncFunction[_P, _T]) -> AsyncDecorator[_T, _P]: ...

class _MakeLazyConstant(Protocol):
    def __call__(self, fn: _AsyncFunction[[], _T]) -> _LazyConstant[_T]: ...

class _Retry(Protocol):
    def __call__(self, fn: _AsyncFunction[_P, _T]) -> _Retried[_T, _P]: ...

def acached_per_instance(*, vary_on: _Sources = ()) -> _CachePerInstance: ...
def alru_cache(
    maxsize: int = 128,
    key_fn: Callable[[tuple[Any, ...], dict[str, Any]], Hashable] | None = None,
    *,
    vary_on: _Sources = (),
) -> _Cache: ...
def alazy_constant(ttl: int = 0) -> _MakeLazyConstant: ...
def utime() -> int: ...
def aretry(
    exception_cls: type[BaseException] | tuple[type[BaseException], ...],
    max_tries: int = 10,
    sleep: float = 0.05,
) -> _Retry: ...

class AsyncTimer(AsyncContext):
    # In microseconds.
    total_time: int
    def __init__(self) -> None: ...
