"""The columns in a key-value store: the key `Track:1` has the album of track 1."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asynq import Loader, asynq
from asynq.stores.key_value import KeyValueStore

from ..database import Database
from ..lookup import COLUMNS, Column


class Values:
    """A `Store` on a key-value store."""

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        @asynq()
        def values(keys: list[int]) -> Generator[Any, Any, dict[int, Any]]:
            stored = yield [self._store.get.asynq(_key(column, key)) for key in keys]
            return {
                key: column.type(value.decode())
                for key, value in zip(keys, stored)
                if value is not None
            }

        return Loader(values, **settings)

    @asynq()
    def fill(self, database: Database) -> Generator[Any, Any, None]:
        yield [
            self._store.set.asynq(_key(column, key), value)
            for column in COLUMNS
            for key, value in database.column(column)
        ]

    def close(self) -> None:
        self._store.close()


def _key(column: Column, key: int) -> str:
    return f"{column.table}:{key}"
