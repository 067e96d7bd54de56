"""SQLite, with the module `sqlite3` of the standard library: loaders of rows.

music = Sqlite("chinook.sqlite")
artist = music.row_by("Artist", "ArtistId", columns=["Name"])
albums = music.rows_by("Album", "ArtistId", columns=["AlbumId", "Title"], order_by="Title")

@asynq()
def page(id):
    row, rows = yield artist.asynq(id), albums.asynq(id)
"""

import os
import sqlite3

from .connections import ConnectionPool, SingleConnection
from .sql import SQLStore, by_position

__all__ = ["Sqlite"]

__traceback_hide__ = True


class Sqlite(SQLStore):
    """A SQLite database.

    - `database`: path of the file, a function that returns a new connection, or a connection. A
      connection must be opened with `check_same_thread=False`, because statements run on worker
      threads. Use a connection for `:memory:`, where each connection has its own content.
    - `blocking`: if true, statements run on worker threads, each with its own connection, and can
      overlap. If false, they run on the thread that asks, which is faster for small statements on a
      file that is already in memory.
    - `settings`: further arguments of `sqlite3.connect`, if `database` is a path.

    Raises `TypeError` if `database` has another type, and `ValueError` if it is the path
    `":memory:"` or empty.
    """

    # The default of SQLITE_MAX_VARIABLE_NUMBER, see https://www.sqlite.org/limits.html
    _max_parameters = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999
    # With almost 2^15 rows of VALUES, SQLite scans a column without an index once for each key.
    _max_keys = 16_384

    def __init__(self, database, *, blocking=True, **settings):
        if isinstance(database, sqlite3.Connection):
            super().__init__(SingleConnection(database), blocking)
            return
        if callable(database):
            super().__init__(ConnectionPool(database, _is_lost), blocking)
            return
        if not isinstance(database, (str, bytes, os.PathLike)):
            raise TypeError(
                "database must be a path, a connection or a function that returns one, got"
                f" {database!r}"
            )
        if database in ("", ":memory:", b"", b":memory:"):
            raise ValueError(
                f"each connection to {database!r} would open its own database: pass one connection,"
                f" sqlite3.connect({database!r}, check_same_thread=False)"
            )

        def connect():
            return sqlite3.connect(database, check_same_thread=False, **settings)

        super().__init__(ConnectionPool(connect, _is_lost), blocking)

    def _find(self, connection, selection, keys):
        try:
            return _select(connection, selection, keys)
        except Exception:
            # The error does not name the key, and must not fail the other keys.
            errors = {position: _bind_error(connection, parts) for position, parts in keys}
            unbound = {position: error for position, error in errors.items() if error is not None}
            if not unbound:
                raise
        bound = [one for one in keys if one[0] not in unbound]
        return {**(_select(connection, selection, bound) if bound else {}), **unbound}


def _select(connection, selection, keys):
    """Joins the keys with the table, so that SQLite compares, by the rules of the column."""
    # Not one JSON array with json_each: it has no bytes, and SQLite does not know its length, by
    # which it decides whether to make an index for the statement.
    placeholders = ", ".join("?" * len(selection.keys))
    values = ", ".join(f"({index}, {placeholders})" for index in range(len(keys)))
    # A plus removes the affinity of a value, which then gets that of the column. A CROSS JOIN keeps
    # its order, so the column is looked up in its index.
    conditions = [
        *(f"{column} = +k.column{number}" for number, column in enumerate(selection.keys, 2)),
        *(f"{column} = ?" for column, _ in selection.filters),
        *(f"{column} IS NULL" for column in selection.nulls),
    ]
    statement = (
        f"SELECT k.column1, {selection.selected} FROM (VALUES {values}) AS k"
        f" CROSS JOIN {selection.source} ON {' AND '.join(conditions)}{selection.order}"
    )
    parameters = [part for _, parts in keys for part in parts]
    parameters += (value for _, value in selection.filters)
    cursor = connection.cursor()
    cursor.row_factory = None  # The connection may have one, for its other users.
    return by_position(keys, cursor.execute(statement, parameters))


def _bind_error(connection, parts):
    """Returns the error of binding the parts of a key, or None."""
    try:
        connection.execute(f"SELECT {', '.join('?' * len(parts))}", parts)
    except Exception as error:
        return error
    return None


def _is_lost(connection, error):
    return False  # A connection to a file is never lost.
