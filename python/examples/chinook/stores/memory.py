"""Tables in memory, read before the demo starts."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Callable

from asynq import Loader

from ..database import Database
from ..lookup import COLUMNS, Column


class Memory:
    """A `Store` in memory."""

    def __init__(self, database: Database) -> None:
        self._tables = {column: dict(database.column(column)) for column in COLUMNS}

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        table = self._tables[column]
        return Loader(lambda keys: {key: table[key] for key in keys if key in table}, **settings)

    def close(self) -> None: ...


@contextmanager
def served(database: Database) -> Generator[Callable[[], Memory], None, None]:
    yield lambda: Memory(database)
