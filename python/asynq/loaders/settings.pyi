import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping
from concurrent.futures import Executor
from typing import Any, TypedDict

from typing_extensions import Self

from .._sources import _Source
from .group import Group
from .stats import Flushed

NOTHING: Any

# The settings of a loader. Stores have their own cache and defaults, and accept only some of them.
class _OfStores(TypedDict, total=False):
    name: str | None
    priority: float
    max_in_flight: int | None
    timeout: float | None
    before_flush: Callable[[list[Any]], object] | None
    after_flush: Callable[[Flushed], object] | None

class _OfRows(_OfStores, total=False):
    max_batch_size: int | None
    cache: bool | MutableMapping[Any, Any] | None
    per: _Source | Iterable[_Source]
    across_requests: bool
    cache_errors: bool | Callable[[Exception], object]
    group: Group | Callable[[Any], Group | None] | None

class _OfLoaders(_OfRows, total=False):
    blocking: bool
    executor: Executor | None
    key: Callable[[Any], Hashable] | None
    max_delay: float | None
    hold: float | None

@dataclasses.dataclass(frozen=True)
class Settings:
    name: str | None = None
    max_batch_size: int | None = None
    blocking: bool = False
    executor: Executor | None = None
    cache: bool | MutableMapping[Any, Any] | None = None
    per: Any = ()
    across_requests: bool = False
    cache_errors: bool | Callable[[Exception], object] = False
    key: Callable[[Any], Hashable] | None = None
    default: Any = ...
    default_factory: Callable[[], Any] | None = None
    priority: float = 0
    max_in_flight: int | None = None
    group: Group | Callable[[Any], Group | None] | None = None
    timeout: float | None = None
    max_delay: Any = ...
    hold: float | None = None
    before_flush: Callable[[list[Any]], object] | None = None
    after_flush: Callable[[Flushed], object] | None = None
    def __post_init__(self) -> None: ...
    @property
    def has_mapping(self) -> bool: ...
    def delays(self) -> tuple[float | None, float]: ...
    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> Self: ...
    def check_for(self, fn: object, returns_coroutines: bool = False) -> None: ...
