"""The loaders, and the functions that use them. Each handles one object."""

# pyright: reportAttributeAccessIssue=false
# Django makes attributes such as `objects`, and has no types.

from asynq import asynq
from asynq.django import related, row_by, rows_by

from .models import Album, Artist, Playlist

artist = row_by(Artist, default=None)
albums = rows_by(Album.objects.order_by("title"), "artist")
playlist_albums = related(Playlist, "albums", Album.objects.order_by("title"))
album_artist = related(Album, "artist")


@asynq()
def page(id):
    """Returns an artist with the titles of the albums."""
    found, of_artist = yield artist.asynq(id), albums.asynq(id)
    return {
        "name": None if found is None else found.name,
        "albums": [album.title for album in of_artist],
    }


@asynq()
def pages(ids):
    return (yield [page.asynq(id) for id in ids])


@asynq()
def album_line(album):
    artist = yield album_artist.asynq(album)
    return f"{album.title} by {artist.name}"


@asynq()
def playlist_page(playlist):
    """Returns a playlist with its albums, and the artist of each."""
    albums = yield playlist_albums.asynq(playlist)
    return {"name": playlist.name, "albums": (yield [album_line.asynq(one) for one in albums])}


@asynq()
def playlist_pages(playlists):
    return (yield [playlist_page.asynq(playlist) for playlist in playlists])
