"""The Chinook database, opened read-only."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from .lookup import Column


class DatabaseError(Exception):
    """The file does not exist, or is not the Chinook database."""


class Database:
    """Raises `DatabaseError` if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # The operating system reports a more precise reason than SQLite.
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
        """Returns the rows of a query."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def column(self, column: Column) -> list[tuple[int, Any]]:
        """Returns the keys and values of a whole column, without NULLs."""
        table, key, value, _ = column
        return self.rows(f"SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL")

    def close(self) -> None:
        self._connection.close()

    def _unusable(self, reason: object) -> DatabaseError:
        return DatabaseError(f'cannot use "{self._path}" as the Chinook database: {reason}')
