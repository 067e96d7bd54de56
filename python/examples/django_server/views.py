"""The views."""

# pyright: reportAttributeAccessIssue=false
# Django makes attributes such as `objects`, and has no types.

from django.http import JsonResponse

from .loaders import pages, playlist_pages
from .models import Artist, Playlist


def artists(request):
    ids = [int(id) for id in request.GET.getlist("id")]
    return JsonResponse(pages(ids), safe=False)


async def artists_async(request):
    ids = [int(id) for id in request.GET.getlist("id")]
    return JsonResponse(await pages.asyncio(ids), safe=False)


def artists_one_by_one(request):
    """Does the same as `artists` with two statements for each artist, for comparison."""
    found = []
    for id in request.GET.getlist("id"):
        artist = Artist.objects.filter(pk=id).first()
        albums = [] if artist is None else artist.albums.order_by("title")
        name = None if artist is None else artist.name
        found.append({"name": name, "albums": [album.title for album in albums]})
    return JsonResponse(found, safe=False)


async def playlists(request):
    found = [playlist async for playlist in Playlist.objects.order_by("name")]
    return JsonResponse(await playlist_pages.asyncio(found), safe=False)
