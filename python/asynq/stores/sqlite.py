"""SQLite, by the standard library: loaders of the rows of a table.

music = Sqlite("chinook.sqlite")
artist = music.row_by("Artist", "ArtistId", columns=["Name"])
albums = music.rows_by("Album", "ArtistId", columns=["AlbumId", "Title"], order_by="Title")

@asynq()
def page(id):
    row, rows = yield artist.asynq(id), albums.asynq(id)
"""

import sqlite3

from .sql import Connections, OneConnection, SQLStore

__all__ = ["Sqlite"]

__traceback_hide__ = True


class Sqlite(SQLStore):
    """A database of SQLite: the path of its file, a function that connects, or a connection.

    Statements run on worker threads, and so overlap. With `blocking=False` they run on the thread
    that asks: where the file is in memory already, the hand-over to another thread takes longer
    than a small statement.

    A path is opened for each batch that overlaps with others. A connection has to be made with
    `check_same_thread=False`, as batches run on threads of their own; it is the way to `:memory:`,
    whose content belongs to its connection.
    """

    # SQLITE_MAX_VARIABLE_NUMBER, by default; https://www.sqlite.org/limits.html
    _most_keys = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999

    # A type that it does not know was an InterfaceError before Python 3.11.
    _unbindable = (
        *(OverflowError, UnicodeEncodeError),
        *(sqlite3.InterfaceError, sqlite3.ProgrammingError),
    )

    def __init__(self, database, *, blocking=True, **settings):
        """`settings` are those of `sqlite3.connect`, for a path."""
        if isinstance(database, sqlite3.Connection):
            super().__init__(OneConnection(database), blocking)
            return
        if callable(database):
            super().__init__(Connections(database, _is_lost), blocking)
            return
        if database in ("", ":memory:"):
            raise ValueError(
                "each connection would have a database of its own: give a connection, made by"
                f" sqlite3.connect({database!r}, check_same_thread=False)"
            )

        def connect():
            return sqlite3.connect(database, check_same_thread=False, **settings)

        super().__init__(Connections(connect, _is_lost), blocking)

    def _among(self, keys):
        # Not as one JSON array, by json_each: it has no bytes, and no integers beyond 2^53 for all.
        return f"IN ({', '.join('?' * len(keys))})", keys


def _is_lost(connection, error):
    return False  # A file does not go away.
