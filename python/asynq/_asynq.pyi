import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from queue import SimpleQueue
from typing import Any, TypeVar, final

from typing_extensions import Self, disjoint_base

from ._debug import DebugOptions as DebugOptions
from ._debug import options as options
from ._function_attributes import call_form as call_form
from .async_task import AsyncTask as AsyncTask
from .async_task import extract_futures as extract_futures
from .async_task import unwrap as unwrap
from .asynq_to_async import is_asyncio_mode as is_asyncio_mode
from .batching import BatchBase as BatchBase
from .batching import BatchItemBase as BatchItemBase
from .contexts import AsyncContext as AsyncContext
from .contexts import NonAsyncContext as NonAsyncContext
from .decorators import AsyncDecorator as AsyncDecorator
from .decorators import AsyncDecoratorBinder as AsyncDecoratorBinder
from .decorators import DecoratorBase as DecoratorBase
from .decorators import DecoratorBinder as DecoratorBinder
from .decorators import PureAsyncDecorator as PureAsyncDecorator
from .decorators import PureAsyncDecoratorBinder as PureAsyncDecoratorBinder
from .futures import ConstFuture as ConstFuture
from .futures import ErrorFuture as ErrorFuture
from .futures import Future as Future
from .futures import FutureBase as FutureBase
from .scheduler import TaskScheduler as TaskScheduler
from .scheduler import get_active_task as get_active_task
from .scheduler import get_scheduler as get_scheduler

__all__ = [
    "AsyncContext",
    "AsyncDecorator",
    "AsyncDecoratorBinder",
    "AsyncTask",
    "AttributeOverrideBase",
    "BatchBase",
    "BatchItemBase",
    "ConstFuture",
    "Counter",
    "DebugOptions",
    "DecoratorBase",
    "DecoratorBinder",
    "ErrorFuture",
    "Flight",
    "Future",
    "FutureBase",
    "Jobs",
    "Limit",
    "Load",
    "LoaderBase",
    "NonAsyncContext",
    "Permits",
    "PureAsyncDecorator",
    "PureAsyncDecoratorBinder",
    "RoundBase",
    "Rounds",
    "ScopedOverrideBase",
    "TaskScheduler",
    "call_as_methods",
    "call_for",
    "call_form",
    "current_greenlet",
    "deliver",
    "enter_asyncio_mode",
    "extract_futures",
    "fail_flights_after_fork",
    "get_active_task",
    "get_scheduler",
    "is_asyncio_mode",
    "leave_asyncio_mode",
    "look_up_names",
    "options",
    "reset_scheduler",
    "resolve_load",
    "scoped_overrides",
    "set_greenlets_loaded",
    "unwrap",
]

def enter_asyncio_mode(on: bool = True) -> Token[bool]: ...
def leave_asyncio_mode(token: Token[bool]) -> None: ...
def look_up_names() -> None: ...
def reset_scheduler() -> None: ...

_T = TypeVar("_T")

# Overrides

@disjoint_base
class ScopedOverrideBase(AsyncContext):
    @property
    def _is_active(self) -> bool: ...
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def set_up(self, target: object, value: object) -> None: ...

@disjoint_base
class AttributeOverrideBase(AsyncContext):
    @property
    def _is_active(self) -> bool: ...
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def set_up(self, target: object, name: str, value: object) -> None: ...

def scoped_overrides() -> ContextVar[dict[int, Any]]: ...

# Loaders

@final
class Load(BatchItemBase[_T]):
    @property
    def key(self) -> Any: ...

@final
class Counter:
    def __new__(cls) -> Self: ...
    def add(self, keys: int, seconds: float) -> None: ...
    @property
    def totals(self) -> tuple[int, int, int, float]: ...

@disjoint_base
class RoundBase(BatchBase[Load[Any]]):
    def begin(self) -> tuple[list[Load[Any]], list[Any]]: ...
    @property
    def flights(self) -> list[Flight]: ...
    @property
    def is_in_flight(self) -> bool: ...
    def watch(self, flight: Flight) -> None: ...
    def launch(self, flight: Flight, permits: Permits, begin: Callable[[], object]) -> None: ...
    def forget(self, key: object, cache: object) -> None: ...

@final
class Flight:
    def __new__(cls, request: object, timeout: float | None = None) -> Flight: ...
    @property
    def has_arrived(self) -> bool: ...
    @property
    def is_finished(self) -> bool: ...
    @property
    def is_awaiting_answer(self) -> bool: ...
    def run(self, function: Callable[..., Any], *args: Any) -> None: ...
    def release(self) -> None: ...
    def start_timeout(self) -> None: ...
    def set_answer(self, answer: object) -> None: ...
    def set_error(self, error: BaseException) -> None: ...
    def finish(self) -> None: ...

@final
class Limit:
    def __new__(cls, permits: int) -> Limit: ...
    @property
    def _permits(self) -> int: ...
    @property
    def _free(self) -> int: ...
    @property
    def _waiting(self) -> int: ...
    @property
    def _is_giving(self) -> bool: ...
    def _reset(self) -> None: ...

@final
class Permits:
    def __new__(
        cls, limits: Sequence[Limit], event_loop: weakref.ref[Any] | None = None
    ) -> Permits: ...
    def acquire(self, begin: Callable[[], object]) -> None: ...
    def release(self) -> None: ...

@final
class Jobs:
    def __new__(cls) -> Jobs: ...
    def add(
        self,
        job: Callable[[], object],
        start: Callable[[Callable[[], object], tuple[()]], object],
        run: Callable[[], object],
        max_threads: int,
        is_nested: bool,
    ) -> bool: ...
    def take(self, queue: SimpleQueue[None]) -> Callable[[], object] | None: ...
    def leave(self, queue: SimpleQueue[None]) -> bool: ...

@final
class Rounds:
    @property
    def open(self) -> RoundBase | None: ...
    @property
    def sent(self) -> list[RoundBase]: ...
    def close(self, round: BatchBase[Any]) -> None: ...
    def start_flight(
        self,
        round: RoundBase,
        unfinished: set[Any],
        flush_task: AsyncTask[Any] | None = None,
    ) -> None: ...
    def complete(self, round: RoundBase) -> None: ...
    def complete_flight(self, round: RoundBase) -> None: ...

@disjoint_base
class LoaderBase:
    _cache: Any
    _scope: Any
    _hits: int
    @property
    def _current_cache(self) -> Any: ...
    @property
    def _owner(self) -> Any: ...
    @property
    def _template(self) -> Any: ...
    @property
    def _core(self) -> Any: ...
    _key_function: Any
    def _cache_key(self, key: object) -> Any: ...
    def _bind_otherwise(self, *, to_class: bool) -> None: ...
    def _load(self, rounds: Rounds, key: object) -> Load[Any]: ...
    def __call__(self, key: Any) -> Any: ...
    def asynq(self, key: Any) -> Any: ...

def deliver(loads: list[Load[Any]], answer: object, keeps_errors: object) -> list[Load[Any]]: ...
def resolve_load(load: Load[Any], value: object, keeps_errors: object) -> None: ...
def call_as_methods(class_: type) -> None: ...
def fail_flights_after_fork() -> None: ...
def current_greenlet() -> Any: ...
def set_greenlets_loaded() -> None: ...
def call_for(task: AsyncTask[Any] | None, function: Callable[..., _T], *args: Any) -> _T: ...
