"""The pages of the admin."""

from django.contrib import admin

from .loaders import albums
from .models import Album, Artist, Playlist

admin.site.register([Album, Playlist])


@admin.register(Artist)
class ArtistAdmin(admin.ModelAdmin):
    list_display = ("name", "titles")

    def get_changelist_instance(self, request):
        changelist = super().get_changelist_instance(request)
        # One statement for all rows. The request keeps the values for the column `titles`.
        albums.load_many([artist.pk for artist in changelist.result_list])
        return changelist

    @admin.display(description="albums")
    def titles(self, artist):
        return ", ".join(album.title for album in albums(artist.pk))
