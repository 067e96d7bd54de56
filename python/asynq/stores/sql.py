"""What the SQL stores have in common: loaders of the rows of a table, and connections."""

import os
import threading

from .._fork import begin_anew_after_fork
from ..loaders import Loader
from ..loaders.errors import failed
from ..loaders.settings import check_count

__traceback_hide__ = True


class SQLStore:
    """Rows of tables by the values of a column.

    `row_by` makes a loader of one row for each key, `rows_by` one of all rows for each key, with
    one statement for each batch. Which columns a row has is said by `columns`, and what it is made
    into by `row`, a function that is called with their values; by default it is a dict.

    Names of tables and columns are quoted, keys are bound. `settings` are those of a `Loader`.
    """

    # The most keys of a statement, if there is a limit.
    _most_keys = None
    # What the client library raises for a key that it cannot bind.
    _unbindable = ()

    def __init__(self, connections, blocking=True):
        self._connections = connections
        self._blocking = blocking

    def row_by(self, table, column, *, columns, schema=None, row=None, **settings):
        """A loader of the row that has the key in `column`.

        A key without a row fails with a `MissingKeyError`, unless there is a `default`; one with
        several rows fails, too.
        """
        return self._loader(_one, table, column, columns, schema, None, row, settings)

    def rows_by(self, table, column, *, columns, schema=None, order_by=None, row=None, **settings):
        """A loader of the list of rows that have the key in `column`, which may be empty.

        `order_by` is a column, or several; a list of rows is in this order.
        """
        settings = {"default_factory": list, **settings}
        return self._loader(_all, table, column, columns, schema, order_by, row, settings)

    def close(self):
        """Closes the connections. A later batch opens new ones."""
        self._connections.close()

    def _loader(self, choose, table, column, columns, schema, order_by, row, settings):
        columns = _names("columns", columns)
        order = [] if order_by is None else _names("order_by", order_by)
        names = (table,) if schema is None else (schema, table)
        source = ".".join(map(quoted, names))
        head = f"SELECT {_listed((column, *columns))} FROM {source} AS t WHERE t.{quoted(column)} "
        tail = f" ORDER BY {_listed(order)}" if order else ""
        head, tail = self._escaped(head), self._escaped(tail)
        settings = {"name": f"{'.'.join(names)} by {column}", **settings}
        if self._most_keys is not None:
            size = settings.get("max_batch_size")
            check_count("max_batch_size", size)
            settings["max_batch_size"] = min(size or self._most_keys, self._most_keys)

        def make(values):
            return dict(zip(columns, values)) if row is None else row(*values)

        def select(keys):
            where, parameters = self._among(keys)
            return self._connections.run(
                lambda connection: connection.execute(head + where + tail, parameters).fetchall()
            )

        loader = settings["name"]

        def fetch(keys):
            try:
                found = select(keys)
            except self._unbindable as error:
                if len(keys) == 1:
                    return {keys[0]: failed(loader, keys[0], error)}
                # It does not say which of them it is, and the others are not to blame.
                half = len(keys) // 2
                return {**fetch(keys[:half]), **fetch(keys[half:])}
            rows = {}
            for key, *values in found:
                rows.setdefault(key, []).append(values)
            return {key: choose(loader, key, of_key, make) for key, of_key in rows.items()}

        return Loader(fetch, blocking=self._blocking, **settings)

    def _escaped(self, text):
        """A part of a statement as the client library takes it."""
        return text

    def _among(self, keys):
        """The condition that the column has one of the keys, and what is bound to it."""
        raise NotImplementedError


def _one(loader, key, rows, make):
    if len(rows) > 1:
        return failed(loader, key, ValueError(f"there are {len(rows)} rows, not one: use rows_by"))
    return _made(loader, key, rows, make)[0]


def _all(loader, key, rows, make):
    made = _made(loader, key, rows, make)
    return made[0] if isinstance(made[0], Exception) else made


def _made(loader, key, rows, make):
    """What the rows are made into; or the error of their key alone."""
    try:
        return [make(values) for values in rows]
    except Exception as error:
        return [failed(loader, key, error)]


def _names(what, names):
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"{what} has to name a column, or more")
    return names


def _listed(columns):
    # Qualified, as SQLite takes "name" alone for a text where there is no such column.
    return ", ".join(f"t.{quoted(column)}" for column in columns)


def quoted(name):
    """A name as it stands in a statement."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"the name of a table or column is a text without NUL, not {name!r}")
    return '"' + name.replace('"', '""') + '"'


class Connections:
    """Connections that are opened when they are needed, kept, and used by one thread at a time.

    `is_lost(connection, error)` says whether an error means that the connection is of no use any
    more. No library's pool is used here: that of psycopg waits for a server that refuses
    connections until its time is over, and does not tell why.
    """

    def __init__(self, connect, is_lost, limit=None):
        self._connect = connect
        self._is_lost = is_lost
        # As many as can be busy, where the server has as many cores as this machine.
        self._limit = limit or 2 * (os.cpu_count() or 1)
        self._idle = []
        self._of_parent = []
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self):
        # Not closed: the server would take it for the parent's good-bye.
        self._of_parent.extend(self._idle)
        self._idle = []
        self._lock = threading.Lock()
        self._permits = threading.Semaphore(self._limit)

    def run(self, work):
        """Calls `work(connection)`, which changes nothing: it may be called once more, if the
        connection that it was called with had died while it was idle.
        """
        with self._permits:
            idle, connection = self._take()
            if connection is not None:
                try:
                    return self._run(idle, connection, work)
                except Exception as error:
                    if not self._is_lost(connection, error):
                        raise
                # Most likely all of them have died together.
                self.close()
                idle = self._idle
            return self._run(idle, self._connect(), work)

    def _take(self):
        """Where a connection comes back to, and an idle one, if there is any."""
        with self._lock:
            return self._idle, self._idle.pop() if self._idle else None

    def _run(self, idle, connection, work):
        try:
            result = work(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            is_kept = idle is self._idle
            if is_kept:
                idle.append(connection)
        if not is_kept:
            connection.close()  # They were closed meanwhile.
        return result

    def close(self):
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class OneConnection:
    """A connection of the caller's."""

    def __init__(self, connection):
        self._connection = connection
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self):
        self._lock = threading.Lock()

    def run(self, work):
        with self._lock:
            return work(self._connection)

    def close(self):
        self._connection.close()
