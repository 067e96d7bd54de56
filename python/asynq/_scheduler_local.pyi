from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

class SchedulerLocal(Generic[_T]):
    def __init__(self, new: Callable[[], _T]) -> None: ...
    def get(self) -> _T: ...
