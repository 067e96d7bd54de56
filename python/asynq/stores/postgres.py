"""PostgreSQL, with psycopg 3: loaders of rows.

music = Postgres("host=localhost dbname=music")
artist = music.row_by("artist", "artist_id", columns=["name"])
albums = music.rows_by("album", "artist_id", columns=["album_id", "title"], order_by="title")
"""

from decimal import Decimal
from enum import Enum

from .._validation import check_count
from .connections import ConnectionPool
from .sql import SQLStore, by_position

try:
    import psycopg
    from psycopg.adapt import PyFormat, Transformer
    from psycopg.rows import tuple_row
    from psycopg.types.enum import EnumBinaryDumper, EnumDumper
except ImportError as error:
    raise ImportError("psycopg is missing: pip install 'asynq-rs[postgres]'") from error

__all__ = ["Postgres"]

__traceback_hide__ = True


class Postgres(SQLStore):
    """A PostgreSQL database.

    - `conninfo`: connection string, or a function that returns a new connection.
    - `connections`: maximum number of open connections. Default: two per core.
    - `settings`: further arguments of `psycopg.connect`, if `conninfo` is a string.

    A batch is one statement, which psycopg prepares after a few executions. Keys of types other
    than str and numbers, and those that the column's type does not have, are further statements.
    Raises `TypeError` for arguments of other types, and `ValueError` if `connections` is less than
    1.
    """

    def __init__(self, conninfo="", *, connections=None, **settings):
        if not isinstance(conninfo, str) and not callable(conninfo):
            raise TypeError(f"conninfo must be a str or a function that connects, got {conninfo!r}")
        if connections is not None:
            check_count("connections", connections)

        def connect():
            return psycopg.connect(conninfo, autocommit=True, **settings)

        connect = conninfo if callable(conninfo) else connect
        super().__init__(ConnectionPool(connect, _is_lost, connections))

    def _find(self, connection, selection, keys):
        return _Search(connection, selection).find(keys)


class _Search:
    """The search for the rows of a batch. Each key is `(position, values of the key columns)`."""

    def __init__(self, connection, selection):
        self._connection = connection
        self._selection = selection
        self._transformer = Transformer(connection)
        self._found = {}

    def find(self, keys):
        """Returns a dict from positions to rows or errors."""
        for _, value in self._selection.filters:
            self._kind_by_value(value)  # Raises if it cannot be sent.
        refused = []
        for group in self._groups(keys, self._kind_by_column):
            try:
                self._found.update(self._rows(group, _literals))
            except psycopg.DataError:
                # The type of the column does not have all values, such as 1.5 or 2**40 or 'one'.
                refused += self._select_by_type(group)
            except psycopg.Error as error:
                if _is_of_connection(error):
                    raise
                refused.append((group, error))  # For example, it cannot be compared with bytes.
            except Exception:
                refused += self._select_by_type(group)
        if refused and not self._found:
            raise refused[0][1]
        for group, error in refused:
            self._found.update((position, error) for position, _ in group)
        return self._found

    def _select_by_type(self, keys):
        refused = []
        for group in self._groups(keys, self._kind_by_value):
            try:
                self._found.update(self._select(group))
            except psycopg.Error as error:
                if _is_of_connection(error):
                    raise
                refused.append((group, error))
        return refused

    def _groups(self, keys, kind):
        """Groups keys that one array can contain. A key that the client cannot convert fails."""
        groups = {}
        for position, parts in keys:
            try:
                groups.setdefault(tuple(map(kind, parts)), []).append((position, parts))
            except Exception as error:
                self._found[position] = error
        return groups.values()

    def _kind_by_column(self, value):
        return str if type(value) in _LITERALS else self._kind_by_value(value)

    def _kind_by_value(self, value):
        if type(value) is int:
            return int, value.bit_length() < 64  # Others are numeric, whose array uses no index.
        if type(value) is tuple:
            # psycopg would send it as text, such as '(1,2)'.
            raise TypeError(f"a tuple needs a loader by several columns, got {value!r} for one")
        dumper = self._transformer.get_dumper(value, PyFormat.AUTO)
        if isinstance(value, Enum) and isinstance(dumper, (EnumDumper, EnumBinaryDumper)):
            # A row is found by the value.
            raise TypeError(
                f"psycopg sends the name of {value!r}: use its value as the key, or register its"
                " class by psycopg.types.enum.register_enum"
            )
        return type(value), dumper.oid

    def _select(self, keys):
        try:
            return self._rows(keys, list)
        except Exception as error:
            if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.DataError):
                raise
            if len(keys) == 1:
                return {keys[0][0]: error}
        # The error does not name the key, and must not fail the other keys.
        half = len(keys) // 2
        return {**self._select(keys[:half]), **self._select(keys[half:])}

    def _rows(self, keys, array):
        selection = self._selection
        values = zip(*(parts for _, parts in keys))
        parameters = {f"keys{number}": array(those) for number, those in enumerate(values)}
        for number, (_, value) in enumerate(selection.filters):
            parameters[f"filter{number}"] = value
        # Not by the cursor class and row factory of the connection: its other users may set them.
        cursor = psycopg.Cursor(self._connection, row_factory=tuple_row)
        try:
            return by_position(keys, cursor.execute(statement(selection), parameters))
        except Exception:
            # Does nothing in autocommit mode. Otherwise, the next statement needs it.
            self._connection.rollback()
            raise


# Types whose values are sent as text: the array gets the type that the column is compared with.
_LITERALS = (str, bool, int, float, Decimal)


def _literals(values):
    if type(values[0]) not in _LITERALS:
        return list(values)
    return [str(int(value)) if type(value) is bool else str(value) for value in values]


def statement(selection):
    """Joins the keys with the table, so that PostgreSQL compares, by the rules of the column.

    `unnest` does not determine the type of a parameter. `= ANY` does, in a query that PostgreSQL
    parses first and never runs: the keys get the type that the column is compared with.
    """
    typed = "typed" if selection.table != "typed" else "typed_keys"
    columns = _escaped(selection.keys)
    arrays = [f"%(keys{number})s" for number in range(len(columns))]
    names = [f"key{number}" for number in range(len(columns))]
    typing = [f"{column} = ANY({array})" for column, array in zip(columns, arrays)]
    conditions = [f"{column} = k.{name}" for column, name in zip(columns, names)]
    for number, column in enumerate(_escaped(column for column, _ in selection.filters)):
        conditions.append(f"{column} = %(filter{number})s")
    conditions += (f"{column} IS NULL" for column in _escaped(selection.nulls))
    selected, source, order = _escaped((selection.selected, selection.source, selection.order))
    return (
        f"WITH {typed} AS (SELECT FROM {source} WHERE {' AND '.join(typing)})"
        f" SELECT k.index - 1, {selected}"
        f" FROM unnest({', '.join(arrays)}) WITH ORDINALITY AS k({', '.join(names)}, index)"
        f" JOIN {source} ON {' AND '.join(conditions)}{order}"
    )


def _escaped(texts):
    """Returns parts of a statement in which a percent sign does not begin a parameter."""
    return [text.replace("%", "%%") for text in texts]


def _is_of_connection(error):
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))


def _is_lost(connection, error):
    return isinstance(error, psycopg.OperationalError) and connection.closed
