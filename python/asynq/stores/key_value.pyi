from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from typing_extensions import ParamSpec, Unpack

from .._vary_on import _Sources
from ..decorators import AsyncDecorator, async_proxy
from ..futures import FutureBase
from ..loaders import Loader
from ..loaders.settings import _OfStores

_P = ParamSpec("_P")
_T = TypeVar("_T")

__traceback_hide__: bool

class _Codec(Protocol):
    def dumps(self, value: Any, /) -> str | bytes: ...
    def loads(self, value: Any, /) -> Any: ...

class Operation:
    name: str
    key: Any
    def __init__(self, key: Any) -> None: ...

class Get(Operation): ...

class Set(Operation):
    value: Any
    ttl: float | None
    def __init__(self, key: Any, value: Any, ttl: float | None) -> None: ...

class Delete(Operation): ...

class KeyValueStore:
    client: Any
    operations: Loader[Operation, Any]
    def __init__(
        self,
        client: Any,
        **settings: Unpack[_OfStores],
    ) -> None: ...
    @async_proxy()
    def get(self, key: str | bytes) -> FutureBase[bytes | None]: ...
    @async_proxy()
    def set(
        self, key: str | bytes, value: str | bytes | float, ttl: float | None = None
    ) -> FutureBase[None]: ...
    @async_proxy()
    def delete(self, key: str | bytes) -> FutureBase[bool]: ...
    def cached(
        self,
        prefix: str,
        ttl: float | None = None,
        codec: _Codec = ...,
        *,
        vary_on: _Sources = (),
    ) -> Callable[[AsyncDecorator[_T, _P]], AsyncDecorator[_T, _P]]: ...
    def close(self) -> None: ...
