"""Django with the example server, and a database of a few artists and albums."""

import asyncio
import contextlib
import os

import django
from asgiref.sync import sync_to_async
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_server.settings")
os.environ["DJANGO_SERVER_DATABASE"] = "unused.sqlite"
django.setup()
settings.ASYNQ_SERVER_TIMING = False  # For other tests of this process.

from django.contrib.contenttypes.fields import GenericForeignKey  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections, models  # noqa: E402
from django.test import override_settings  # noqa: E402
from django_server.models import Album, Artist, Playlist  # noqa: E402


class Note(models.Model):
    """A note about any object."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.IntegerField()
    subject = GenericForeignKey()

    class Meta:
        app_label = "django_server"


IDS = "id=1&id=2&id=3"
PAGES = [
    {"name": "AC/DC", "albums": ["High Voltage", "Powerage"]},
    {"name": "Accept", "albums": ["Breaker"]},
    {"name": "Aerosmith", "albums": []},
]


@contextlib.contextmanager
def database(file):
    """Fills a new database, which all connections have during the block."""
    for database in connections.all():
        database.settings_dict["NAME"] = str(file)
    apps = ("admin", "auth", "contenttypes", "sessions")
    with override_settings(
        MIGRATION_MODULES=dict.fromkeys(apps), ALLOWED_HOSTS=["testserver", "server"]
    ):
        call_command("migrate", run_syncdb=True, verbosity=0)
        Artist.objects.bulk_create(Artist(name=page["name"]) for page in PAGES)
        Album.objects.bulk_create(
            Album(title=title, artist_id=artist)
            for title, artist in [("Powerage", 1), ("High Voltage", 1), ("Breaker", 2)]
        )
        Playlist.objects.create(name="all").albums.set([1, 2, 3])
        Playlist.objects.create(name="none")
        yield
    connections.close_all()


def run(coroutine):
    """Returns the value of a coroutine, and closes the connections of the thread that it uses."""

    async def main():
        try:
            return await coroutine
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(main())
