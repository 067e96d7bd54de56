"""Two stores: one asks the database, one has read its whole column beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .database import Database
from .lookup import Column, Store


class Sqlite:
    def __init__(self, database: Database, column: Column) -> None:
        table, key, value = column
        select = f"SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL"
        self._database = database
        # What a program without batches would ask; `json_each` here would flatter the batches.
        self._one = f"{select} AND {key} = ?"
        # One variable for any number of keys: SQLite has a limit on variables.
        self._many = f"{select} AND {key} IN (SELECT value FROM json_each(?))"

    def fetch(self, keys: set[int]) -> dict[int, Any]:
        if len(keys) == 1:
            return dict(self._database.rows(self._one, *keys))
        return dict(self._database.rows(self._many, json.dumps(sorted(keys))))


class Memory:
    def __init__(self, database: Database, column: Column) -> None:
        table, key, value = column
        sql = f"SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL"
        self._values: dict[int, Any] = dict(database.rows(sql))

    def fetch(self, keys: set[int]) -> dict[int, Any]:
        return {key: self._values[key] for key in keys if key in self._values}


STORES: dict[str, Callable[[Database, Column], Store]] = {"sqlite": Sqlite, "memory": Memory}
