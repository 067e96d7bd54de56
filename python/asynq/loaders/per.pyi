from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any

from .._sources import Sources, _Source

class Per(Sources):
    def __init__(self, sources: Per | _Source | Iterable[_Source]) -> None: ...
    def context(
        self, definition: Context, values: tuple[Any, ...]
    ) -> tuple[Context, list[Callable[[], object]]]: ...
