"""`Selection`: the rows that a loader of an SQL store selects, as parts of a statement."""

from collections.abc import Iterable, Mapping

__traceback_hide__ = True


class Selection:
    """Rows of a table, by the values of one or more key columns.

    The table is called `t` in the statement. The names are quoted. The columns are qualified, since
    SQLite reads `"name"` alone as a string if there is no such column.
    """

    def __init__(self, table, column, columns, schema=None, where=None, order_by=None):
        keys = _names("column", column)
        names = (table,) if schema is None else (schema, table)
        where = _conditions(where)
        order = () if order_by is None else _names("order_by", order_by)
        self.columns = _names("columns", columns)
        self.table = table if schema is None else None
        self.source = f"{'.'.join(map(quoted, names))} AS t"
        self.selected = ", ".join(map(_qualified, self.columns))
        self.keys = [_qualified(key) for key in keys]
        self.nulls = [_qualified(name) for name, value in where if value is None]
        self.filters = [(_qualified(name), value) for name, value in where if value is not None]
        self.order = f" ORDER BY {', '.join(map(_qualified, order))}" if order else ""
        self.name = f"{'.'.join(names)} by {', '.join(keys)}"
        self._key_names = None if isinstance(column, str) else keys

    def parts(self, key):
        """Returns the values of the key columns, or a `TypeError` if the key has another shape."""
        if self._key_names is None:
            return (key,)
        if isinstance(key, tuple) and len(key) == len(self._key_names):
            return key
        return TypeError(f"the key must be a tuple ({', '.join(self._key_names)}), got {key!r}")


def _conditions(where):
    if where is None:
        return []
    if not isinstance(where, Mapping):
        raise TypeError(f"where must be a dict from names of columns to values, got {where!r}")
    return list(where.items())


def _names(parameter, names):
    if not isinstance(names, (str, Iterable)):
        raise TypeError(f"{parameter} must be a name or a list of names, got {names!r}")
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"{parameter} must name at least one column")
    return names


def _qualified(column):
    return f"t.{quoted(column)}"


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
