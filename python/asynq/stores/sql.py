"""`SQLStore`, the base class of the SQL stores."""

from collections.abc import Iterable

from .._validation import check_callable, check_count
from ..loaders import Loader
from ..loaders.errors import failed

__traceback_hide__ = True


class SQLStore:
    """A database whose rows are loaded by the values of a column, with one statement per batch.

    `row_by` returns a loader of one row per key, and `rows_by` a loader of all rows per key. Their
    parameters:

    - `table`, `schema`: name of the table, and of its schema if it is not the default one;
    - `column`: name of the column that contains the keys;
    - `columns`: name of a column to read, or several names;
    - `row`: function that is called with the values of `columns` and returns a row. By default, a
      row is a dict from names to values.
    - `settings`: settings of the `Loader`.

    Names are quoted and keys are bound, so both may contain any characters, but names no NUL.
    `row_by` and `rows_by` raise `TypeError` or `ValueError` for invalid arguments.
    """

    # Maximum number of keys of a statement, or None.
    _max_keys = None
    # Errors of the client library for a key that it cannot bind.
    _bind_errors = ()

    def __init__(self, connections, blocking=True):
        self._connections = connections
        self._blocking = blocking

    def row_by(self, table, column, *, columns, schema=None, row=None, **settings):
        """Returns a loader of the row that contains the key in `column`.

        A key with no row fails with a `MissingKeyError`, unless there is a `default`. A key with
        several rows fails with a `LoadError`.
        """
        return self._loader(_one, table, column, columns, schema, None, row, settings)

    def rows_by(self, table, column, *, columns, schema=None, order_by=None, row=None, **settings):
        """Returns a loader of the list of all rows that contain the key in `column`.

        `order_by` is the name of the column by which each list is sorted, or several names. A key
        with no row has an empty list.
        """
        settings = {"default_factory": list, **settings}
        return self._loader(_all, table, column, columns, schema, order_by, row, settings)

    def close(self):
        """Closes the connections. Later batches open new ones."""
        self._connections.close()

    def _loader(self, choose, table, column, columns, schema, order_by, row, settings):
        if row is not None:
            check_callable("row", row)
        if "blocking" in settings:
            raise TypeError("blocking is a setting of the store, not of its loaders")
        columns = _names("columns", columns)
        order = [] if order_by is None else _names("order_by", order_by)
        names = (table,) if schema is None else (schema, table)
        source = ".".join(map(quoted, names))
        head = f"SELECT {_listed((column, *columns))} FROM {source} AS t WHERE t.{quoted(column)} "
        tail = f" ORDER BY {_listed(order)}" if order else ""
        head, tail = self._escaped(head), self._escaped(tail)
        settings = {"name": f"{'.'.join(names)} by {column}", **settings}
        if self._max_keys is not None:
            size = settings.get("max_batch_size")
            if size is not None:
                check_count("max_batch_size", size)
            settings["max_batch_size"] = min(size or self._max_keys, self._max_keys)

        def make(values):
            return dict(zip(columns, values)) if row is None else row(*values)

        def select(keys):
            where, parameters = self._has_one_of(keys)
            return self._connections.run(
                lambda connection: connection.execute(head + where + tail, parameters).fetchall()
            )

        name = settings["name"]

        def fetch(keys):
            try:
                answer = select(keys)
            except self._bind_errors as error:
                if len(keys) == 1:
                    return {keys[0]: failed(name, keys[0], error)}
                # The error does not name the key, and must not fail the other keys.
                half = len(keys) // 2
                return {**fetch(keys[:half]), **fetch(keys[half:])}
            rows = {}
            for key, *values in answer:
                rows.setdefault(key, []).append(values)
            return {key: choose(name, key, of_key, make) for key, of_key in rows.items()}

        return Loader(fetch, blocking=self._blocking, **settings)

    def _escaped(self, text):
        """Returns a part of a statement with the escapes that the client library needs."""
        return text

    def _has_one_of(self, keys):
        """Returns the condition that the column contains one of the keys, and its parameters."""
        raise NotImplementedError


def _one(loader, key, rows, make):
    if len(rows) > 1:
        return failed(loader, key, ValueError(f"there are {len(rows)} rows for it: use rows_by"))
    return _made(loader, key, rows, make)[0]


def _all(loader, key, rows, make):
    made = _made(loader, key, rows, make)
    return made[0] if isinstance(made[0], Exception) else made


def _made(loader, key, rows, make):
    """Returns the converted rows, or a list with the error if the conversion fails."""
    try:
        return [make(values) for values in rows]
    except Exception as error:
        return [failed(loader, key, error)]


def _names(parameter, names):
    if not isinstance(names, (str, Iterable)):
        raise TypeError(f"{parameter} must be a name or a list of names, got {names!r}")
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"{parameter} must name at least one column")
    return names


def _listed(columns):
    # Qualified, because SQLite reads "name" alone as a string if there is no such column.
    return ", ".join(f"t.{quoted(column)}" for column in columns)


def quoted(name):
    """Returns a quoted name for use in a statement.

    Raises `TypeError` if it is not a string, and `ValueError` if it is empty or contains NUL.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a table or column must be a str, got {name!r}")
    if not name or "\0" in name:
        raise ValueError(
            f"the name of a table or column must be non-empty and without NUL, got {name!r}"
        )
    return '"' + name.replace('"', '""') + '"'
