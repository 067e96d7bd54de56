"""The Chinook database, a file that is only read."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from .lookup import Column


class DatabaseError(Exception):
    """The file is none, or is not what it should be."""


class Database:
    def __init__(self, path: Path) -> None:
        self._path = path
        # The system knows better than SQLite why a file cannot be opened.
        try:
            path.stat()
        except OSError as error:
            raise self._unusable(error.strerror) from error
        if not path.is_file():
            raise self._unusable("not a file")
        self.uri = f"{path.resolve().as_uri()}?mode=ro"
        try:
            self._connection = sqlite3.connect(self.uri, uri=True)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """The rows that a query finds."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def column(self, column: Column) -> list[tuple[int, Any]]:
        """The keys and values of a whole column."""
        table, key, value, _ = column
        return self.rows(f"SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL")

    def close(self) -> None:
        self._connection.close()

    def _unusable(self, reason: object) -> DatabaseError:
        return DatabaseError(f'cannot use "{self._path}" as the Chinook database: {reason}')
