"""The functions of the music store: the artist of a track."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asynq import asynq

from .lookup import ALBUM_OF_TRACK, ARTIST_OF_ALBUM, NAME_OF_ARTIST, Flush, Store, lookup


class Music:
    """The music store. Each function handles one key."""

    def __init__(self, store: Store) -> None:
        self.flushes: list[Flush] = []
        """Requests sent so far."""
        self._tracks = lookup(store, ALBUM_OF_TRACK, self.flushes)
        self._albums = lookup(store, ARTIST_OF_ALBUM, self.flushes)
        self._artists = lookup(store, NAME_OF_ARTIST, self.flushes)

    @asynq()
    def artist_of_track(self, track: int) -> Generator[Any, Any, str]:
        """Returns the name of the artist of a track."""
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
        """Returns the artists of many tracks. The function for one track needs no change."""
        names: list[str] = yield [self.artist_of_track.asynq(track) for track in tracks]
        return names
