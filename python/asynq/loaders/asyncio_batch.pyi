import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

from typing_extensions import Self

from .._asynq import Load, Rounds
from .batch import LoaderBatch

__traceback_hide__: bool

_T = TypeVar("_T")

class BatchesByLoop:
    def __init__(self) -> None: ...
    def of_running_loop(self, new: Callable[[], Rounds]) -> Rounds: ...

class SendQueue:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    @classmethod
    def of_running_loop(cls) -> Self: ...
    def add(self, batch: AsyncioBatch) -> None: ...
    def count_key(self) -> None: ...

def ready_callbacks(loop: asyncio.AbstractEventLoop) -> Collection[object] | None: ...

class AsyncioBatch(LoaderBatch):
    def start(self) -> None: ...

async def wait_for_load(load: Load[_T]) -> _T: ...
