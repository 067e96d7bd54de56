from collections.abc import Callable
from typing import Any, TypeVar

__traceback_hide__: bool

_T = TypeVar("_T")

class ThreadPool:
    max_threads: int
    def __init__(self) -> None: ...
    def submit(self, job: Callable[[], object]) -> None: ...
    def run(self, function: Callable[..., _T], *args: Any) -> _T: ...

def set_max_threads(count: int) -> None: ...
def check_not_finalizing() -> None: ...

thread_pool: ThreadPool
