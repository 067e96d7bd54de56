"""The batch behind the three functions: one column of a table, looked up by the table's key."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from asynq import BatchBase, BatchItemBase


class Column(NamedTuple):
    """Which column of which table, and by which key."""

    table: str
    key: str
    value: str


ALBUM_OF_TRACK = Column("Track", "TrackId", "AlbumId")
ARTIST_OF_ALBUM = Column("Album", "AlbumId", "ArtistId")
NAME_OF_ARTIST = Column("Artist", "ArtistId", "Name")
NAME_OF_TRACK = Column("Track", "TrackId", "Name")


class Store(Protocol):
    """Where the values of a column come from."""

    def fetch(self, keys: set[int]) -> dict[int, Any]:
        """The values of those of the keys that have one, in one query."""
        ...


class Round(NamedTuple):
    """A flush, for `--explain`."""

    source: str
    keys: int
    distinct: int


class Lookup:
    """Where the keys of a column are asked for."""

    def __init__(self, column: Column, store: Store, rounds: list[Round]) -> None:
        self.column = column
        self.store = store
        self.rounds = rounds
        self.open = Batch(self)
        """The batch that the next item joins."""

    def item(self, key: int) -> Item:
        """The value of the key, or a `LookupError` if it has none."""
        return Item(self.open, key)


class Item(BatchItemBase[Any]):
    def __init__(self, batch: Batch, key: int) -> None:
        super().__init__(batch)
        self.key = key


class Batch(BatchBase[Item]):
    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self.lookup = lookup

    def _try_switch_active_batch(self) -> None:
        if self.lookup.open is self:
            self.lookup.open = Batch(self.lookup)

    def _flush(self) -> None:
        table, key, value = self.lookup.column
        keys = {item.key for item in self.items}
        self.lookup.rounds.append(Round(table, len(self.items), len(keys)))

        values = self.lookup.store.fetch(keys)
        for item in self.items:
            if item.key in values:
                item.set_value(values[item.key])
            else:
                item.set_error(LookupError(f"no {value} for {key} {item.key}"))
