from collections.abc import Callable, Generator, Iterable
from types import FrameType
from typing import Any

from typing_extensions import TypeVar, disjoint_base

from .contexts import AsyncContext, NonAsyncContext
from .futures import FutureBase

__all__ = [
    "MAX_DUMP_INDENT",
    "AsyncTask",
    "AsyncTaskCancelledError",
    "AsyncTaskResult",
    "extract_futures",
    "unwrap",
]

_T_co = TypeVar("_T_co", covariant=True)

MAX_DUMP_INDENT: int

class AsyncTaskCancelledError(GeneratorExit): ...

class AsyncTaskResult(GeneratorExit):
    result: Any
    def __init__(self, result: object) -> None: ...

@disjoint_base
class AsyncTask(FutureBase[_T_co]):
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    creator: AsyncTask[Any] | None
    perf_stats: dict[str, Any] | None
    _id: int
    _name: str | None
    _total_time: int
    def __init__(
        self,
        generator: Generator[Any, Any, _T_co],
        fn: Callable[..., Any],
        args: Iterable[Any],
        kwargs: dict[str, Any] | None,
    ) -> None: ...
    @property
    def iteration_index(self) -> int: ...
    @property
    def running(self) -> bool: ...
    @property
    def _contexts(self) -> list[AsyncContext | NonAsyncContext]: ...
    @property
    def _dependencies(self) -> list[FutureBase[Any]]: ...
    @property
    def _frame(self) -> FrameType | None: ...
    @property
    def _generator(self) -> Generator[Any, Any, _T_co] | None: ...
    @property
    def _last_value(self) -> Any: ...
    def _traceback_line(self) -> str: ...
    def can_continue(self) -> bool: ...
    def is_blocked(self) -> bool: ...
    def to_str(self) -> str: ...
    def traceback(self) -> list[str]: ...
    def collect_perf_stats(self) -> None: ...
    def dump_perf_stats(self) -> None: ...

def extract_futures(value: object, result: list[FutureBase[Any]]) -> list[FutureBase[Any]]: ...
def unwrap(value: Any) -> Any: ...
