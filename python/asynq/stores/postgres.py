"""PostgreSQL, by psycopg 3: loaders of the rows of a table.

music = Postgres("host=localhost dbname=music")
artist = music.row_by("artist", "artist_id", columns=["name"])
albums = music.rows_by("album", "artist_id", columns=["album_id", "title"], order_by="title")
"""

from .sql import Connections, SQLStore

try:
    import psycopg
except ImportError as error:
    raise ImportError("psycopg is missing: pip install 'asynq-rs[postgres]'") from error

__all__ = ["Postgres"]

__traceback_hide__ = True


class Postgres(SQLStore):
    """A database of PostgreSQL: a connection string, or a function that connects.

    There are at most `connections` at a time, by default two for each core. A batch is one
    statement with `= ANY(...)`, which psycopg prepares when it has seen it some times.
    """

    _unbindable = (psycopg.DataError,)

    def __init__(self, conninfo="", *, connections=None, **settings):
        """`settings` are those of `psycopg.connect`, for a connection string."""
        if connections is not None and connections < 1:
            raise ValueError(f"connections has to be 1 or more, not {connections}")

        def connect():
            return psycopg.connect(conninfo, autocommit=True, **settings)

        connect = conninfo if callable(conninfo) else connect
        super().__init__(Connections(connect, _is_lost, connections))

    def _escaped(self, text):
        return text.replace("%", "%%")

    def _among(self, keys):
        return "= ANY(%s)", (keys,)


def _is_lost(connection, error):
    return isinstance(error, psycopg.OperationalError) and connection.closed
