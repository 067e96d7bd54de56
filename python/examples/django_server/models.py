"""The models."""

from django.db import models


class Artist(models.Model):
    name = models.TextField()

    def __str__(self):
        return str(self.name)


class Album(models.Model):
    title = models.TextField()
    artist = models.ForeignKey(Artist, models.CASCADE, related_name="albums")

    def __str__(self):
        return str(self.title)


class Playlist(models.Model):
    name = models.TextField()
    albums = models.ManyToManyField(Album, related_name="playlists")

    def __str__(self):
        return str(self.name)
