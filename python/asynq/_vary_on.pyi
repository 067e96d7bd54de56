from collections.abc import Hashable, Iterable
from contextvars import ContextVar
from typing import Any

from typing_extensions import TypeAlias

from .contexts import AsyncContext
from .scoped_value import AsyncScopedValue

_Source: TypeAlias = AsyncScopedValue[Any] | ContextVar[Any]
_Sources: TypeAlias = _Source | Iterable[_Source]

class VaryOn:
    sources: tuple[_Source, ...]
    def __init__(self, sources: _Sources) -> None: ...
    def __bool__(self) -> bool: ...
    def values(self) -> tuple[Any, ...]: ...
    def key(self, key: Hashable) -> Hashable: ...
    def overrides(self, values: tuple[Any, ...]) -> list[AsyncContext]: ...
