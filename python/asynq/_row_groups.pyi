from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypedDict

from ._sources import _Source
from .loaders import Flushed, Group

__traceback_hide__: bool

# The settings of loaders of models: the connection decides on the thread.
class _OfModels(TypedDict, total=False):
    name: str | None
    priority: float
    max_batch_size: int | None
    cache: bool | None
    per: _Source | Iterable[_Source]
    across_requests: bool
    cache_errors: bool | Callable[[Exception], object]
    group: Group | Callable[[Any], Group | None] | None
    timeout: float | None
    max_delay: float | None
    hold: float | None
    before_flush: Callable[[list[Any]], object] | None
    after_flush: Callable[[Flushed], object] | None

class _ByColumn(_OfModels, total=False):
    key: Callable[[Any], Hashable] | None

class RowGroups:
    def __init__(
        self,
        loader: str,
        keys: Iterable[Any],
        column: str,
        key: Callable[[Any], Hashable] | None = None,
    ) -> None: ...
    def add(self, value: Any, row: Any) -> None: ...
    def all(self) -> dict[Any, Any]: ...
    def one(self) -> dict[Any, Any]: ...
