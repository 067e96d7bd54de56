"""Loaders of `asynq.django`: their keys, rows and relations, and their limits."""

import asyncio
import contextvars
import threading

import pytest
from asgiref.sync import ThreadSensitiveContext
from django_music import Note, database, run  # Sets Django up for the imports below.

# isort: split

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, connections, models
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django_server import loaders
from django_server.models import Album, Artist, Playlist

from asynq.django import related, row_by, rows_by
from asynq.loaders import LoadError, LoadTimeoutError, MissingKeyError


@pytest.fixture(scope="module", autouse=True)
def _database(tmp_path_factory):
    with database(tmp_path_factory.mktemp("django") / "music.sqlite"):
        yield


@pytest.fixture
def statements():
    """A block that records the statements on the connection of this thread."""
    with CaptureQueriesContext(connection) as captured:
        yield captured


# Rows and relations


def test_a_key_without_a_row_is_missing():
    with pytest.raises(MissingKeyError, match="loader Artist by pk, key 99"):
        row_by(Artist)(99)


def test_a_key_with_several_rows_fails_alone():
    album = row_by(Album, "artist")
    several, one = album.load_many([1, 2], return_exceptions=True)
    assert str(several).endswith("there are 2 rows for it: use rows_by")
    assert one.title == "Breaker"


def test_a_key_of_another_type_fails_with_advice():
    albums = rows_by(Album, "artist")
    text, number = albums.load_many(["1", 2], return_exceptions=True)
    assert "Album.artist_id is 1, which equals none of the keys" in str(text)
    assert [album.title for album in number] == ["Breaker"]


def test_keys_may_be_converted():
    assert row_by(Artist, key=int)("1").name == "AC/DC"


def test_keys_may_be_equal_as_the_database_says():
    artist = row_by(Artist.objects.extra(select={}), "name", key=str.casefold)
    assert artist.load_many(["Accept", "AC/DC"])[1].pk == 1


@pytest.mark.parametrize(
    "rows",
    [Album, Album.objects, Album.objects.order_by("pk"), lambda: Album.objects],
    ids=["model", "manager", "queryset", "function"],
)
def test_rows_may_be_a(rows):
    assert {album.title for album in rows_by(rows, "artist")(1)} == {"Powerage", "High Voltage"}


def test_rows_may_be_a_related_manager():
    of_accept = row_by(Artist.objects.get(pk=2).albums, "title")
    assert of_accept("Breaker").pk == 3
    with pytest.raises(MissingKeyError):
        of_accept("Powerage")


def test_rows_may_depend_on_a_tenant():
    tenant = contextvars.ContextVar("tenant")

    class OfTenant(models.Manager):
        def get_queryset(self):
            return super().get_queryset().filter(artist=tenant.get())

    manager = OfTenant()
    manager.model = Album
    title = row_by(manager, "title", per=tenant, default=None)
    tenant.set(1)
    assert title("Powerage").artist_id == 1
    tenant.set(2)
    assert title("Powerage") is None


@pytest.fixture
def other_database(tmp_path):
    other = {**connections.settings["default"], "NAME": str(tmp_path / "other.sqlite")}
    connections.settings["other"] = other
    with connections["other"].schema_editor() as editor:
        editor.create_model(Artist)
        editor.create_model(Album)
    artist = Artist.objects.using("other").create(pk=1, name="Other")
    Album.objects.using("other").create(title="First", artist=artist)
    yield "other"
    connections["other"].close()
    del connections["other"], connections.settings["other"]


def test_a_queryset_chooses_the_database(other_database):
    assert row_by(Artist.objects.using(other_database))(1).name == "Other"
    assert loaders.artist(1).name == "AC/DC"


def test_a_relation_is_loaded_from_the_database_of_its_instance(other_database):
    artists = [Artist.objects.get(pk=1), Artist.objects.using(other_database).get(pk=1)]
    albums = related(Artist, "albums", Album.objects.order_by("title"))
    assert [[album.title for album in found] for found in albums.load_many(artists)] == [
        ["High Voltage", "Powerage"],
        ["First"],
    ]


def test_a_router_chooses_the_database():
    asked = []

    class Router:
        def db_for_read(self, model, **hints):
            asked.append(model)
            return "default"

    with override_settings(DATABASE_ROUTERS=[Router()]):
        row_by(Artist).load_many([1, 2])
    assert set(asked) == {Artist}


def test_more_keys_than_parameters_are_several_statements(statements, monkeypatch):
    monkeypatch.setattr(type(connection.features), "max_query_params", 3)
    albums = rows_by(Album.objects.filter(title__startswith="P"), "artist")
    assert [len(rows) for rows in albums.load_many([1, 2, 3])] == [1, 0, 0]
    assert len(statements) == 2


def test_a_relation_may_be_generic():
    types = map(ContentType.objects.get_for_model, (Artist, Artist, Playlist))
    notes = [Note(pk=i, content_type=one, object_id=i) for i, one in enumerate(types, 1)]
    with CaptureQueriesContext(connection) as statements:
        subjects = related(Note, "subject").load_many(notes)
    assert list(map(str, subjects)) == ["AC/DC", "Accept", "None"]
    assert len(statements) == 2


def test_a_relation_changes_no_prefetched_values():
    playlist = Playlist.objects.get(name="all")
    assert len(related(Playlist, "albums")(playlist)) == 3
    playlist.albums.remove(3)
    assert [playlist.albums.count(), len(playlist.albums.all())] == [2, 2]
    assert len(related(Playlist, "albums")(playlist)) == 2
    playlist.albums.add(3)


def test_equal_instances_are_one_key(statements):
    first, second = (Playlist.objects.get(name="all") for _ in "ab")
    albums = related(Playlist, "albums", name="albums")
    albums.load_many([first, second])
    assert len(statements) == 3
    assert albums.stats.keys == 1


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: row_by("Artist"), TypeError, "rows must be a model, a manager, a queryset"),
        (lambda: row_by(Artist, 7), TypeError, "field must be the name of a field, got 7"),
        (lambda: row_by(Artist, "nam"), FieldDoesNotExist, "nam"),
        (lambda: rows_by(Artist, "albums"), ValueError, r"use related\(Artist, 'albums'\)"),
        (lambda: rows_by(Playlist, "albums"), ValueError, r"use related\(Playlist, 'albums'\)"),
        (lambda: row_by(Artist, blocking=True), TypeError, "Django chooses the thread"),
        (lambda: related(Artist, "albums", executor=1), TypeError, "Django chooses the thread"),
        (lambda: row_by(Artist, timeout=-1), ValueError, "timeout must be"),
        (lambda: related("Artist", "albums"), TypeError, "model must be a model of Django"),
        (lambda: related(Artist, 7), TypeError, "relation must be the name of a relation"),
        (
            lambda: related(Artist, "albums__x"),
            ValueError,
            "relation must be one relation of Artist",
        ),
    ],
)
def test_invalid_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("load", "match"),
    [
        (lambda: row_by(Artist.objects.values("name"))(1), "leave out values"),
        (lambda: rows_by(Album.objects.only("title"), "artist")(1), "must load artist_id"),
        (lambda: row_by(lambda: 7)(1), "must return a manager or a queryset, got 7"),
        (lambda: related(Artist, "nothing")(Artist(pk=1)), "Artist has no relation 'nothing'"),
        (lambda: related(Artist, "name")(Artist(pk=1)), "Artist has no relation 'name'"),
    ],
)
def test_querysets_that_cannot_be_used_fail_with_advice(load, match):
    with pytest.raises(LoadError, match=match):
        load()


def test_a_key_of_a_relation_must_be_a_saved_instance():
    albums = related(Artist, "albums")
    with pytest.raises(TypeError, match="the key must be an instance of Artist, got 7"):
        albums(7)
    with pytest.raises(ValueError, match="the key must be saved"):
        albums(Artist(name="new"))


# Limits


class Gate:
    """Rows that come when the gate is open."""

    def __init__(self):
        self.asked = threading.Event()
        self.open = threading.Event()

    def rows(self):
        self.asked.set()
        assert self.open.wait(60)
        return Artist.objects


def test_a_late_statement_fails_its_keys_on_an_event_loop():
    gate = Gate()
    artist = row_by(gate.rows, name="artist", timeout=0.01)

    async def main():
        try:
            with pytest.raises(LoadTimeoutError, match="loader artist, key 1: no answer within"):
                await artist.asyncio(1)
        finally:
            gate.open.set()

    run(main())


def test_a_statement_waits_for_room_in_other_threads():
    gate = Gate()
    artist = row_by(gate.rows, max_in_flight=1, timeout=0.01)

    def load():
        names.append(artist(1).name)
        connections.close_all()

    names = []
    thread = threading.Thread(target=load)
    thread.start()
    assert gate.asked.wait(60)
    with pytest.raises(LoadTimeoutError):
        artist(2)
    gate.open.set()
    thread.join()
    assert names == ["AC/DC"]
    assert artist(2).name == "Accept"


def test_a_statement_waits_for_room_in_other_requests():
    running = []

    def rows():
        running.append("begin")
        together.wait()  # Of both requests, which the limit forbids.

    together = threading.Barrier(2, timeout=0.05)
    artist = row_by(rows, max_in_flight=1)

    async def request(id):
        async with ThreadSensitiveContext():
            await artist.asyncio(id)

    async def main():
        return await asyncio.gather(request(1), request(2), return_exceptions=True)

    errors = asyncio.run(main())
    assert [type(error.__cause__) for error in errors] == [threading.BrokenBarrierError] * 2
    assert len(running) == 2
