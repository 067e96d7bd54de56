"""`SQLStore`, the base class of the SQL stores."""

import functools

from .._inspection import is_async_fn, is_coroutine_function
from .._validation import check_callable, check_count
from ..loaders import Loader
from ..loaders.errors import failed
from .selection import Selection

__traceback_hide__ = True


class SQLStore:
    """A database whose rows are loaded by the values of a column, with one statement per batch.

    `row_by` returns a loader of one row per key, and `rows_by` a loader of all rows per key. Their
    parameters:

    - `table`, `schema`: name of the table, and of its schema if it is not the default one;
    - `column`: name of the column that contains the keys; or several names, in which case a key is
      a tuple with one value for each of them;
    - `columns`: name of a column to read, or several names;
    - `where`: dict from names of columns to values, which the rows must have as well. `None` means
      `IS NULL`;
    - `row`: function that is called with the values of `columns` and returns a row. By default, a
      row is a dict from names to values;
    - `settings`: settings of the `Loader`.

    The database decides which rows have a key: a key finds what `column = key` finds, in another
    case or of another type too. Names are quoted and values are bound, so all may contain any
    characters, but names no NUL. A key that cannot be bound fails alone.

    `row_by` and `rows_by` raise `TypeError` or `ValueError` for invalid arguments.
    """

    # Maximum numbers of parameters and keys of a statement, or None.
    _max_parameters = None
    _max_keys = None

    def __init__(self, connections, blocking=True):
        self._connections = connections
        self._blocking = blocking

    def row_by(self, table, column, *, columns, schema=None, where=None, row=None, **settings):
        """Returns a loader of the row that contains the key in `column`.

        A key with no row fails with a `MissingKeyError`, unless there is a `default`. A key with
        several rows fails with a `LoadError`.
        """
        selection = Selection(table, column, columns, schema, where)
        return self._loader(_one, selection, row, settings)

    def rows_by(
        self,
        table,
        column,
        *,
        columns,
        schema=None,
        where=None,
        order_by=None,
        row=None,
        **settings,
    ):
        """Returns a loader of the list of all rows that contain the key in `column`.

        `order_by` is the name of the column by which each list is sorted, or several names. A key
        with no row has an empty list.
        """
        selection = Selection(table, column, columns, schema, where, order_by)
        return self._loader(_all, selection, row, {"default_factory": list, **settings})

    def loader(self, function=None, /, **settings):
        """A decorator that makes a loader of a function with SQL of your own.

        `function(connection, keys)` gets a connection of the store, which no other thread uses
        meanwhile, and the list of keys. It returns what the function of a `Loader` returns. It must
        not change the database, since it is called again if the connection was lost.
        """
        if function is None:
            return functools.partial(self.loader, **settings)
        check_callable("the function of a loader", function)
        if is_async_fn(function) or is_coroutine_function(function):
            raise TypeError(
                f"the function of a store's loader uses the connection directly, so it must not be"
                f" async, got {function!r}"
            )
        name = getattr(function, "__qualname__", repr(function))

        def fetch(keys):
            return self._connections.run(lambda connection: function(connection, keys))

        return self._load(fetch, {"name": name, **settings})

    def close(self):
        """Closes the connections. Later batches open new ones."""
        self._connections.close()

    def _loader(self, choose, selection, row, settings):
        if row is not None:
            check_callable("row", row)
        settings = {"name": selection.name, **settings}
        name = settings["name"]
        if self._max_parameters is not None:
            limit = (self._max_parameters - len(selection.filters)) // len(selection.keys)
            limit = min(limit, self._max_keys)
            size = settings.get("max_batch_size")
            if size is not None:
                check_count("max_batch_size", size)
            settings["max_batch_size"] = min(size or limit, limit)
        columns = selection.columns

        def make(values):
            return dict(zip(columns, values)) if row is None else row(*values)

        def fetch(keys):
            parts_of = [(key, selection.parts(key)) for key in keys]
            answer = {
                key: failed(name, key, parts)
                for key, parts in parts_of
                if isinstance(parts, Exception)
            }
            # No column is equal to NULL.
            sent = [
                (key, parts)
                for key, parts in parts_of
                if key not in answer and not any(part is None for part in parts)
            ]
            if sent:
                found = self._connections.run(
                    lambda connection: self._find(
                        connection, selection, list(enumerate(parts for _, parts in sent))
                    )
                )
                for position, rows in found.items():
                    key = sent[position][0]
                    is_error = isinstance(rows, Exception)
                    answer[key] = (
                        failed(name, key, rows) if is_error else choose(name, key, rows, make)
                    )
            return answer

        return self._load(fetch, settings)

    def _load(self, fetch, settings):
        if "blocking" in settings:
            raise TypeError("blocking is a setting of the store, not of its loaders")
        return Loader(fetch, blocking=self._blocking, **settings)

    def _find(self, connection, selection, keys):
        """Selects the rows of keys, each given as `(position, values of the key columns)`.

        Returns a dict from positions to lists of rows, which are sequences of values, or to the
        error of a key that cannot be bound. Keys without rows may be missing.
        """
        raise NotImplementedError


def by_position(keys, answer):
    """Groups rows, which begin with the index of a key in `keys`, by the position of that key."""
    rows = {}
    for index, *values in answer:
        rows.setdefault(keys[index][0], []).append(values)
    return rows


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
