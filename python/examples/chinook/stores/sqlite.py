"""The Chinook database itself."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Callable

from asynq import Loader
from asynq.stores.sql import SQLStore
from asynq.stores.sqlite import Sqlite

from ..database import Database
from ..lookup import Column


class Rows:
    """A `Store` on an SQL store."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        table, key, value, _ = column

        def row(value_of_row: Any) -> Any:
            if value_of_row is None:
                raise LookupError(f"its {value} is NULL")
            return value_of_row

        return self._store.row_by(table, key, columns=value, row=row, **settings)

    def close(self) -> None:
        self._store.close()


@contextmanager
def served(database: Database) -> Generator[Callable[[], Rows], None, None]:
    # blocking=False: on this small file, a query is faster than a switch to another thread.
    yield lambda: Rows(Sqlite(database.uri, uri=True, blocking=False))
