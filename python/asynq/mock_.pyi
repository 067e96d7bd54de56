from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload
from unittest.mock import MagicMock, _patch, _patch_dict

__all__ = ["patch"]

_C = TypeVar("_C", bound=type[Any])
_R = TypeVar("_R")
_T = TypeVar("_T")

class _PatchAsync(_patch[_T], Generic[_T]):
    is_asynchronous_already: bool
    def copy(self) -> _PatchAsync[_T]: ...

# As a decorator, it passes the replacement to the function.
class _PatchPassed(_PatchAsync[_T]):
    @overload
    def __call__(self, func: _C) -> _C: ...
    @overload
    def __call__(self, func: Callable[..., _R]) -> Callable[..., _R]: ...

class _PatchObject(Protocol):
    @overload
    def __call__(
        self,
        target: Any,
        attribute: str,
        new: _T,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: None = None,
        **kwargs: Any,
    ) -> _PatchAsync[_T]: ...
    @overload
    def __call__(
        self,
        target: Any,
        attribute: str,
        *,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: Callable[..., _T],
        **kwargs: Any,
    ) -> _PatchPassed[_T]: ...
    @overload
    def __call__(
        self,
        target: Any,
        attribute: str,
        *,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: None = None,
        **kwargs: Any,
    ) -> _PatchPassed[MagicMock]: ...

class _Patch(Protocol):
    TEST_PREFIX: str
    object: _PatchObject
    dict: type[_patch_dict]
    @overload
    def __call__(
        self,
        target: str,
        new: _T,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: None = None,
        **kwargs: Any,
    ) -> _PatchAsync[_T]: ...
    @overload
    def __call__(
        self,
        target: str,
        *,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: Callable[..., _T],
        **kwargs: Any,
    ) -> _PatchPassed[_T]: ...
    @overload
    def __call__(
        self,
        target: str,
        *,
        spec: Any = None,
        create: bool = False,
        mocksignature: Any = False,
        spec_set: Any = None,
        autospec: Any = False,
        new_callable: None = None,
        **kwargs: Any,
    ) -> _PatchPassed[MagicMock]: ...
    def stopall(self) -> None: ...

patch: _Patch
