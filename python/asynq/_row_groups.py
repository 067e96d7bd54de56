"""Rows of an object-relational mapper, grouped by the keys of a loader."""

from .loaders.errors import failed

__traceback_hide__ = True


class RowGroups:
    """The rows that the loader with this name has found for the keys of a batch.

    `column` is the name of the column that holds the keys, and `key` the setting of the loader.
    """

    def __init__(self, loader, keys, column, key=None):
        self._loader = loader
        self._key = _same if key is None else key
        self._rows = {self._key(one): [] for one in keys}
        self._column = column
        self._unclaimed = []

    def add(self, value, row):
        """Adds a row whose key column has this value."""
        rows = self._rows.get(self._key(value))
        if rows is None:
            self._unclaimed.append(value)  # The database takes it for equal to a key.
        else:
            rows.append(row)

    def all(self):
        """Returns a dict from keys to the lists of their rows.

        Keys without rows are missing from it. If there are rows of which it is not known whose they
        are, these keys have an error instead.
        """
        if not self._unclaimed:
            return {key: rows for key, rows in self._rows.items() if rows}
        return {key: rows or self._unclear(key) for key, rows in self._rows.items()}

    def one(self):
        """Returns a dict as `all`, with the only row of each key, or the error of too many."""
        return {
            key: rows[0] if isinstance(rows, list) and len(rows) == 1 else self._several(key, rows)
            for key, rows in self.all().items()
        }

    def _unclear(self, key):
        error = ValueError(
            f"the database found a row whose {self._column} is {self._unclaimed[0]!r}, which equals"
            " none of the keys: load keys of the type of the column, or give key=, a function that"
            " makes keys equal that the database takes for equal"
        )
        return failed(self._loader, key, error)

    def _several(self, key, rows):
        if isinstance(rows, Exception):
            return rows
        error = ValueError(f"there are {len(rows)} rows for it: use rows_by")
        return failed(self._loader, key, error)


def _same(key):
    return key
