from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar, overload

from typing_extensions import ParamSpec

from .decorators import PureAsyncDecorator, PureAsyncDecoratorBinder
from .futures import FutureBase

__traceback_hide__: bool

_P = ParamSpec("_P")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

MAX_LAYERS: int

# An object with an attribute `asynq`: a decorated function of any kind, bound or not.
class _AsyncFunction(Protocol[_P, _T_co]):
    def asynq(self, *args: _P.args, **kwargs: _P.kwargs) -> FutureBase[_T_co]: ...

def makes_generator(fn: object) -> bool: ...
def is_coroutine_function(fn: object) -> bool: ...
def has_async_fn(fn: object) -> bool: ...
def is_pure_async_fn(fn: object) -> bool: ...
def is_async_fn(fn: object) -> bool: ...
@overload
def get_async_fn(
    fn: _AsyncFunction[_P, _T], wrap_if_none: bool = False
) -> Callable[_P, FutureBase[_T]]: ...
@overload
def get_async_fn(
    fn: PureAsyncDecorator[_T, _P] | PureAsyncDecoratorBinder[_T, _P], wrap_if_none: bool = False
) -> Callable[_P, FutureBase[_T]]: ...
@overload
def get_async_fn(
    fn: Callable[_P, _T], wrap_if_none: Literal[True]
) -> Callable[_P, FutureBase[_T]]: ...
@overload
def get_async_fn(
    fn: object, wrap_if_none: bool = False
) -> Callable[..., FutureBase[Any]] | None: ...
@overload
def get_async_or_sync_fn(fn: _AsyncFunction[_P, _T]) -> Callable[_P, FutureBase[_T]]: ...
@overload
def get_async_or_sync_fn(fn: object) -> Any: ...
def is_pure() -> bool: ...
