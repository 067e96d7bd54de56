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
from .sql import SQLStore

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
    _max_keys = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999

    # Before Python 3.11, sqlite3 raises InterfaceError for types that it cannot bind.
    _bind_errors = (
        *(OverflowError, UnicodeEncodeError),
        *(sqlite3.InterfaceError, sqlite3.ProgrammingError),
    )

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

    def _has_one_of(self, keys):
        # Not one JSON array with json_each, which has no bytes and no exact integers beyond 2^53.
        return f"IN ({', '.join('?' * len(keys))})", keys


def _is_lost(connection, error):
    return False  # A connection to a file is never lost.
