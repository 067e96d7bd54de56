from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, overload

from typing_extensions import Concatenate, ParamSpec, TypeAlias

from ._inspection import _AsyncFunction
from ._vary_on import _Sources
from .async_task import AsyncTask
from .decorators import AsyncDecorator, AsyncDecoratorBinder
from .futures import FutureBase

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_S = TypeVar("_S")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_KeyGetter: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], Hashable]

class DeduplicateDecoratorBinder(AsyncDecoratorBinder[_T_co, _P]):
    def dirty(self, *args: _P.args, **kwargs: _P.kwargs) -> None: ...

class DeduplicateDecorator(AsyncDecorator[_T_co, _P]):
    keygetter: _KeyGetter
    @property
    def tasks(self) -> dict[Hashable, FutureBase[Any]]: ...
    def __init__(
        self,
        fn: _AsyncFunction[_P, _T_co],
        task_cls: type[AsyncTask[Any]] | None,
        keygetter: _KeyGetter,
        *,
        vary_on: _Sources = (),
    ) -> None: ...
    @overload  # type: ignore[override]
    def __get__(  # type: ignore[misc]
        self: Callable[Concatenate[type[_S], _Q], Any], owner: _S | None, cls: type[_S], /
    ) -> DeduplicateDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(self, owner: None, cls: type[Any], /) -> DeduplicateDecoratorBinder[_T_co, _P]: ...
    @overload
    def __get__(
        self: Callable[Concatenate[_S, _Q], Any], owner: _S, cls: Any = None, /
    ) -> DeduplicateDecoratorBinder[_T_co, _Q]: ...
    @overload
    def __get__(
        self, owner: object, cls: Any = None, /
    ) -> DeduplicateDecoratorBinder[_T_co, _P]: ...
    def cache_key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable: ...
    def dirty(self, *args: _P.args, **kwargs: _P.kwargs) -> None: ...

class _Deduplicate(Protocol):
    def __call__(self, fn: _AsyncFunction[_P, _T]) -> DeduplicateDecorator[_T, _P]: ...

def deduplicate(keygetter: _KeyGetter | None = None, *, vary_on: _Sources = ()) -> _Deduplicate: ...
