"""The rows of the tables."""

from __future__ import annotations

from typing import NamedTuple


class ArtistRow(NamedTuple):
    id: int
    name: str


class AlbumRow(NamedTuple):
    id: int
    title: str


class TrackRow(NamedTuple):
    id: int
    name: str
    genre_id: int


class GenreRow(NamedTuple):
    name: str
