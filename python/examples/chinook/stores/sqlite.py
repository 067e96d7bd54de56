"""The database itself."""

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
    def __init__(self, store: SQLStore) -> None:
        self._store = store

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        table, key, value, _ = column

        def row(found: Any) -> Any:
            if found is None:
                raise LookupError(f"it has no {value}")
            return found

        return self._store.row_by(table, key, columns=value, row=row, **settings)

    def close(self) -> None:
        self._store.close()


@contextmanager
def served(database: Database) -> Generator[Callable[[], Rows], None, None]:
    # The file is small, so that the hand-over to another thread would take longer than a query.
    yield lambda: Rows(Sqlite(database.uri, uri=True, blocking=False))
