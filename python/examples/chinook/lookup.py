"""What the three functions ask: one column of a table, looked up by the table's key."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Protocol

from asynq import Loader


class Column(NamedTuple):
    """Which column of which table, by which key, and what its values are."""

    table: str
    key: str
    value: str
    type: Callable[[Any], Any]


ALBUM_OF_TRACK = Column("Track", "TrackId", "AlbumId", int)
ARTIST_OF_ALBUM = Column("Album", "AlbumId", "ArtistId", int)
NAME_OF_ARTIST = Column("Artist", "ArtistId", "Name", str)

COLUMNS = [ALBUM_OF_TRACK, ARTIST_OF_ALBUM, NAME_OF_ARTIST]


class Store(Protocol):
    """Where the values are kept."""

    def loader(self, column: Column, **settings: Any) -> Loader[int, Any]:
        """A loader of a column's values by their keys."""
        ...

    def close(self) -> None: ...


class Round(NamedTuple):
    """A flush, for `--explain`."""

    source: str
    keys: int
    distinct: int


def lookup(store: Store, column: Column, rounds: list[Round]) -> Loader[int, Any]:
    """The loader of a column, which writes down its rounds."""
    hits = 0

    def before_flush(keys: list[int]) -> None:
        nonlocal hits
        repeated, hits = loader.stats.hits - hits, loader.stats.hits
        rounds.append(Round(column.table, len(keys) + repeated, len(keys)))

    loader = store.loader(column, name=column.table, before_flush=before_flush)
    return loader
