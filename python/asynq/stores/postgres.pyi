from collections.abc import Callable
from typing import Any

import psycopg

from .selection import Selection
from .sql import SQLStore

__all__ = ["Postgres"]

__traceback_hide__: bool

class Postgres(SQLStore):
    # `settings` are arguments of psycopg.connect.
    def __init__(
        self,
        conninfo: str | Callable[[], psycopg.Connection[Any]] = "",
        *,
        connections: int | None = None,
        **settings: Any,
    ) -> None: ...

def statement(selection: Selection) -> str: ...
