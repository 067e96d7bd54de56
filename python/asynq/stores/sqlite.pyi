import os
import sqlite3
from collections.abc import Callable
from typing import Any

from .sql import SQLStore

__all__ = ["Sqlite"]

__traceback_hide__: bool

class Sqlite(SQLStore):
    # `settings` are arguments of sqlite3.connect.
    def __init__(
        self,
        database: str | os.PathLike[str] | Callable[[], sqlite3.Connection] | sqlite3.Connection,
        *,
        blocking: bool = True,
        **settings: Any,
    ) -> None: ...
