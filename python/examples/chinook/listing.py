"""The tracks whose artists the demo prints."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from asynq import MissingKeyError
from asynq.stores.sqlite import Sqlite

from .database import Database


class Track(NamedTuple):
    id: int
    name: str


class Listing(NamedTuple):
    """Tracks with a common title."""

    title: str
    tracks: list[Track]


class Playlist(NamedTuple):
    id: int
    name: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name})"

    def is_called(self, wanted: str) -> bool:
        return wanted.strip() == str(self.id) or _fold(wanted) == _fold(self.name)


def read(database: Database, wanted: str | None, ids: list[int] | None) -> Listing:
    """Reads the tracks of a playlist, or the tracks with the given ids.

    Raises `LookupError` if there is no such playlist or track.
    """
    title = "From --tracks"
    if ids is None:
        playlist = _find(database, wanted)
        title = f"Playlist {playlist}"
        sql = "SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = ? ORDER BY TrackId"
        ids = [id for (id,) in database.rows(sql, playlist.id)]
        if not ids:
            raise LookupError(f"playlist {playlist} has no tracks")
    with closing(Sqlite(database.uri, uri=True)) as store:
        track = store.row_by("Track", "TrackId", columns=["TrackId", "Name"], row=Track)
        try:
            return Listing(title, track.load_many(ids))
        except MissingKeyError as error:
            raise LookupError(f"there is no track {error.key}") from None


def _find(database: Database, wanted: str | None) -> Playlist:
    """Returns the longest playlist with the id or name `wanted` (None: of all playlists)."""
    sql = """
        SELECT PlaylistId, coalesce(Name, '')
        FROM Playlist LEFT JOIN PlaylistTrack USING (PlaylistId)
        GROUP BY PlaylistId ORDER BY count(TrackId) DESC, PlaylistId
    """
    playlists = [Playlist(*row) for row in database.rows(sql)]
    for playlist in playlists:
        if wanted is None or playlist.is_called(wanted):
            return playlist
    if not playlists:
        raise LookupError("there are no playlists in the database")
    shown = 20
    there_are = ", ".join(map(str, playlists[:shown])) + (", …" if playlists[shown:] else "")
    raise LookupError(f'there is no playlist "{wanted}"; there are {there_are}')


def _fold(name: str) -> str:
    # One playlist is named “90’s Music”, and few keyboards have that apostrophe.
    return name.replace("’", "'").lower()
