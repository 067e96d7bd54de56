from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__traceback_hide__: bool

_T = TypeVar("_T")

class ThreadPool:
    max_threads: int
    def __init__(self) -> None: ...
    def submit(self, function: Callable[..., _T], *args: Any) -> Future[_T]: ...

def set_max_threads(count: int) -> None: ...
def check_not_finalizing() -> None: ...

thread_pool: ThreadPool
