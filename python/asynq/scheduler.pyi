import threading
from typing import Any

from typing_extensions import disjoint_base

from ._event_hook import EventHook
from .async_task import AsyncTask
from .batching import BatchBase
from .futures import FutureBase

__all__ = [
    "AsyncTaskError",
    "LocalTaskSchedulerState",
    "TaskScheduler",
    "get_active_task",
    "get_scheduler",
    "reset",
]

class AsyncTaskError(Exception): ...

@disjoint_base
class TaskScheduler:
    name: str
    on_before_batch_flush: EventHook
    on_after_batch_flush: EventHook
    _last_dump_time: float
    @property
    def active_task(self) -> AsyncTask[Any] | None: ...
    @property
    def _tasks(self) -> list[AsyncTask[Any]]: ...
    @property
    def _batches(self) -> list[BatchBase[Any]]: ...
    def wait_for(self, task: FutureBase[Any]) -> None: ...
    def reset(self) -> None: ...
    def dump(self, indent: int = 0) -> None: ...
    def try_time_based_dump(self, last_task: object = None) -> None: ...

class LocalTaskSchedulerState(threading.local):
    last_id: int
    def __init__(self) -> None: ...
    @property
    def current(self) -> TaskScheduler: ...
    def reset(self) -> None: ...

_state: LocalTaskSchedulerState

def get_active_task() -> AsyncTask[Any] | None: ...
def get_scheduler() -> TaskScheduler: ...
def reset() -> None: ...
