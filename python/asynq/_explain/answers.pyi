import os
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from typing_extensions import Self

from ..batching import BatchBase
from ..futures import FutureBase

__traceback_hide__: bool

class NotRecordedError(AssertionError):
    source: str
    key: str
    path: str
    def __init__(self, source: str, key: str, path: str) -> None: ...

class _Answers:
    def __init__(self, path: str | os.PathLike[str]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class record_answers(_Answers):
    def flush(self, source: str, batch: BatchBase[Any]) -> None: ...
    def add(self, source: str, key: object, future: FutureBase[Any]) -> None: ...

class replay_answers(_Answers):
    def flush(self, source: str, batch: BatchBase[Any]) -> None: ...
    def answers(self, source: str, keys: Iterable[object]) -> list[Any]: ...
    def answer(self, source: str, key: object) -> tuple[bool, Any]: ...

def replayed() -> replay_answers | None: ...
def record(source: str, loads: Sequence[Any]) -> None: ...
def flush(batch: BatchBase[Any]) -> None: ...
