"""Loaders of one column of a table, by the key of the table."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Protocol

from asynq import Loader


class Column(NamedTuple):
    """A column `value` of a table, whose rows are found by `key`. `type` converts its values."""

    table: str
    key: str
    value: str
    type: Callable[[Any], Any]


ALBUM_OF_TRACK = Column("Track", "TrackId", "AlbumId", int)
ARTIST_OF_ALBUM = Column("Album", "AlbumId", "ArtistId", int)
NAME_OF_ARTIST = Column("Artist", "ArtistId", "Name", str)

COLUMNS = [ALBUM_OF_TRACK, ARTIST_OF_ALBUM, NAME_OF_ARTIST]


class Store(Protocol):
    """A database or server that has the values of the columns."""

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        """Returns a loader of the values of a column by their keys."""
        ...

    def close(self) -> None: ...


class Flush(NamedTuple):
    """A request that a loader has sent, for `--explain`."""

    source: str
    keys: int
    distinct: int


def lookup(store: Store, column: Column, flushes: list[Flush]) -> Loader[int, Any]:
    """Returns the loader of a column, which appends its requests to `flushes`."""
    hits = 0

    def before_flush(keys: list[int]) -> None:
        nonlocal hits
        repeated, hits = loader.stats.hits - hits, loader.stats.hits
        flushes.append(Flush(column.table, len(keys) + repeated, len(keys)))

    loader = store.loader(column, name=column.table, before_flush=before_flush)
    return loader
