"""PostgreSQL, with psycopg 3: loaders of rows.

music = Postgres("host=localhost dbname=music")
artist = music.row_by("artist", "artist_id", columns=["name"])
albums = music.rows_by("album", "artist_id", columns=["album_id", "title"], order_by="title")
"""

from .._validation import check_count
from .connections import ConnectionPool
from .sql import SQLStore

try:
    import psycopg
except ImportError as error:
    raise ImportError("psycopg is missing: pip install 'asynq-rs[postgres]'") from error

__all__ = ["Postgres"]

__traceback_hide__ = True


class Postgres(SQLStore):
    """A PostgreSQL database.

    - `conninfo`: connection string, or a function that returns a new connection.
    - `connections`: maximum number of open connections. Default: two per core.
    - `settings`: further arguments of `psycopg.connect`, if `conninfo` is a string.

    A batch is one statement with `= ANY(...)`, which psycopg prepares after a few executions.
    Raises `TypeError` for arguments of other types, and `ValueError` if `connections` is less than
    1.
    """

    _bind_errors = (psycopg.DataError,)

    def __init__(self, conninfo="", *, connections=None, **settings):
        if not isinstance(conninfo, str) and not callable(conninfo):
            raise TypeError(f"conninfo must be a str or a function that connects, got {conninfo!r}")
        if connections is not None:
            check_count("connections", connections)

        def connect():
            return psycopg.connect(conninfo, autocommit=True, **settings)

        connect = conninfo if callable(conninfo) else connect
        super().__init__(ConnectionPool(connect, _is_lost, connections))

    def _escaped(self, text):
        return text.replace("%", "%%")

    def _has_one_of(self, keys):
        return "= ANY(%s)", (keys,)


def _is_lost(connection, error):
    return isinstance(error, psycopg.OperationalError) and connection.closed
