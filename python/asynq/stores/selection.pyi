from collections.abc import Hashable, Iterable, Mapping
from typing import Any

__traceback_hide__: bool

class Selection:
    columns: tuple[str, ...]
    table: str | None
    source: str
    selected: str
    keys: list[str]
    nulls: list[str]
    filters: list[tuple[str, Any]]
    order: str
    name: str
    def __init__(
        self,
        table: str,
        column: str | Iterable[str],
        columns: str | Iterable[str],
        schema: str | None = None,
        where: Mapping[str, Any] | None = None,
        order_by: str | Iterable[str] | None = None,
    ) -> None: ...
    def parts(self, key: Hashable) -> tuple[Any, ...] | TypeError: ...

def quoted(name: str) -> str: ...
