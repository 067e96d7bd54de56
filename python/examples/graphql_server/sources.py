"""The loaders of the rows, one per edge of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asynq.loaders import Flushed
from asynq.stores.sqlite import Sqlite

from .rows import AlbumRow, ArtistRow, GenreRow, TrackRow

DATABASE = Path(__file__).resolve().parents[3] / "examples" / "data" / "chinook.sqlite"

chinook = Sqlite(f"{DATABASE.as_uri()}?mode=ro", uri=True)


def _print_size(what: str) -> Any:
    def after_flush(flushed: Flushed) -> None:
        print(f"{what}: {len(flushed.keys)} keys", flush=True)

    return after_flush


artist = chinook.row_by(
    "Artist",
    "ArtistId",
    columns=["ArtistId", "Name"],
    row=ArtistRow,
    default=None,
    after_flush=_print_size("artists by id"),
)
albums = chinook.rows_by(
    "Album",
    "ArtistId",
    columns=["AlbumId", "Title"],
    order_by="AlbumId",
    row=AlbumRow,
    after_flush=_print_size("albums by artist"),
)
tracks = chinook.rows_by(
    "Track",
    "AlbumId",
    columns=["TrackId", "Name", "GenreId"],
    order_by="TrackId",
    row=TrackRow,
    after_flush=_print_size("tracks by album"),
)
genre = chinook.row_by(
    "Genre",
    "GenreId",
    columns=["Name"],
    row=GenreRow,
    after_flush=_print_size("genres by id"),
)
