from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from typing_extensions import TypeAlias

from .scoped_value import AsyncScopedValue

_Named: TypeAlias = AsyncScopedValue[Any] | ContextVar[Any]
_Source: TypeAlias = _Named | Callable[[], Any]

class Sources:
    option: str
    sources: tuple[Any, ...]
    def __init__(
        self,
        option: str,
        sources: _Source | Iterable[_Source],
        *,
        functions: bool = False,
    ) -> None: ...
    def __bool__(self) -> bool: ...
    def values(self) -> tuple[Any, ...]: ...
