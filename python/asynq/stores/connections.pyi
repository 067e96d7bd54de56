from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

__traceback_hide__: bool

class ConnectionPool:
    def __init__(
        self,
        connect: Callable[[], Any],
        is_lost: Callable[[Any, Exception], bool],
        limit: int | None = None,
    ) -> None: ...
    def run(self, work: Callable[[Any], _T]) -> _T: ...
    def close(self) -> None: ...

class SingleConnection:
    def __init__(self, connection: Any) -> None: ...
    def run(self, work: Callable[[Any], _T]) -> _T: ...
    def close(self) -> None: ...
