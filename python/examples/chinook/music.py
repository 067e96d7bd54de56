"""The program itself: who plays a track?"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asynq import asynq

from .lookup import ALBUM_OF_TRACK, ARTIST_OF_ALBUM, NAME_OF_ARTIST, Round, Store, lookup


class Music:
    """The music store. Each function is about one thing, as if there were no other."""

    def __init__(self, store: Store) -> None:
        self.rounds: list[Round] = []
        """What was flushed so far."""
        self._tracks = lookup(store, ALBUM_OF_TRACK, self.rounds)
        self._albums = lookup(store, ARTIST_OF_ALBUM, self.rounds)
        self._artists = lookup(store, NAME_OF_ARTIST, self.rounds)

    @asynq()
    def artist_of_track(self, track: int) -> Generator[Any, Any, str]:
        """The name of the artist of a track."""
        album = yield self.album_of_track.asynq(track)
        artist = yield self._albums.asynq(album)
        name: str = yield self.artist_name.asynq(artist)
        return name

    @asynq()
    def album_of_track(self, track: int) -> Generator[Any, Any, int]:
        album: int = yield self._tracks.asynq(track)
        return album

    @asynq()
    def artist_name(self, artist: int) -> Generator[Any, Any, str]:
        name: str = yield self._artists.asynq(artist)
        return name

    @asynq()
    def artists_of_tracks(self, tracks: list[int]) -> Generator[Any, Any, list[str]]:
        """All of them together; the function for one track is as it was."""
        names: list[str] = yield [self.artist_of_track.asynq(track) for track in tracks]
        return names
