"""The program itself: who plays a track?"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from asynq import asynq

from .database import Database
from .lookup import ALBUM_OF_TRACK, ARTIST_OF_ALBUM, NAME_OF_ARTIST, Column, Lookup, Round, Store


class Music:
    """The music store. Each function is about one thing, as if there were no other."""

    def __init__(self, database: Database, store: Callable[[Database, Column], Store]) -> None:
        self.rounds: list[Round] = []
        """What was flushed so far."""
        self._tracks = Lookup(ALBUM_OF_TRACK, store(database, ALBUM_OF_TRACK), self.rounds)
        self._albums = Lookup(ARTIST_OF_ALBUM, store(database, ARTIST_OF_ALBUM), self.rounds)
        self._artists = Lookup(NAME_OF_ARTIST, store(database, NAME_OF_ARTIST), self.rounds)

    @asynq()
    def artist_of_track(self, track: int) -> Generator[Any, Any, str]:
        """The name of the artist of a track."""
        album = yield self.album_of_track.asynq(track)
        artist = yield self._albums.item(album)
        name: str = yield self.artist_name.asynq(artist)
        return name

    @asynq()
    def album_of_track(self, track: int) -> Generator[Any, Any, int]:
        album: int = yield self._tracks.item(track)
        return album

    @asynq()
    def artist_name(self, artist: int) -> Generator[Any, Any, str]:
        name: str = yield self._artists.item(artist)
        return name

    @asynq()
    def artists_of_tracks(self, tracks: list[int]) -> Generator[Any, Any, list[str]]:
        """All of them together; the function for one track is as it was."""
        names: list[str] = yield [self.artist_of_track.asynq(track) for track in tracks]
        return names
