"""`asynq.django`, with the example server and Django itself."""

import asyncio
import contextvars
import doctest
import gc
import json
import os
import re
import threading
import weakref

import django
import httpx
import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_server.settings")
os.environ["DJANGO_SERVER_DATABASE"] = "unused.sqlite"
django.setup()
settings.ASYNQ_SERVER_TIMING = False  # For other tests of this process.

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.contenttypes.fields import GenericForeignKey  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.exceptions import FieldDoesNotExist, SynchronousOnlyOperation  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections, models, transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import (  # noqa: E402
    AsyncClient,
    AsyncRequestFactory,
    Client,
    RequestFactory,
    TestCase,
    override_settings,
)
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import path  # noqa: E402
from django_server import loaders  # noqa: E402
from django_server.models import Album, Artist, Playlist  # noqa: E402
from test_docs import examples  # noqa: E402

import asynq.django  # noqa: E402
from asynq.django import related, row_by, rows_by  # noqa: E402
from asynq.loaders import LoadError, LoadTimeoutError, MissingKeyError  # noqa: E402
from asynq.testing import RoundsMixin  # noqa: E402


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


@pytest.fixture(scope="module", autouse=True)
def _database(tmp_path_factory):
    file = tmp_path_factory.mktemp("django") / "music.sqlite"
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


@pytest.fixture
def statements():
    """A block that records the statements on the connection of this thread."""
    with CaptureQueriesContext(connection) as captured:
        yield captured


def in_asgi(*paths, **settings):
    """Returns the answers of the ASGI server of Django to requests at the same time."""

    async def main():
        transport = httpx.ASGITransport(get_asgi_application())
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await asyncio.gather(*map(client.get, paths))

    return asyncio.run(main())


def run(coroutine):
    """Returns the value of a coroutine, and closes the connections of the thread that it uses."""

    async def main():
        try:
            return await coroutine
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(main())


# Views


def test_a_view_written_one_by_one_makes_two_statements_for_each_artist(statements):
    assert Client().get(f"/one-by-one/artists?{IDS}").json() == PAGES
    assert len(statements) == 6


def test_a_synchronous_view_makes_one_statement_for_each_loader(statements):
    assert Client().get(f"/artists?{IDS}").json() == PAGES
    assert len(statements) == 2


def test_an_asynchronous_view_under_wsgi_makes_them_on_the_thread_of_its_request(statements):
    assert Client().get(f"/async/artists?{IDS}").json() == PAGES
    assert len(statements) == 2


def test_views_under_asgi_are_answered():
    answers = in_asgi(f"/artists?{IDS}", f"/async/artists?{IDS}")
    assert [answer.json() for answer in answers] == [PAGES, PAGES]


def test_requests_under_asgi_share_no_batch():
    before = loaders.artist.stats.batches
    in_asgi("/async/artists?id=1", "/async/artists?id=2")
    assert loaders.artist.stats.batches == before + 2


def test_relations_of_many_objects_make_one_statement_each(statements):
    answer = Client().get("/playlists").json()
    everything = ["Breaker by Accept", "High Voltage by AC/DC", "Powerage by AC/DC"]
    assert answer == [{"name": "all", "albums": everything}, {"name": "none", "albums": []}]
    assert len(statements) == 3


def test_the_client_of_asynchronous_tests_works():
    assert run(AsyncClient().get(f"/async/artists?{IDS}")).json() == PAGES


def test_responses_have_the_header_server_timing():
    with override_settings(ASYNQ_SERVER_TIMING=True):
        header = Client().get(f"/artists?{IDS}").headers["Server-Timing"]
    assert re.sub(r"dur=[\d.]+", "dur=_", header) == (
        'asynq;desc="1 round", Artist-by-pk;dur=_;desc="Artist by pk: 1 request, 3 keys", '
        'Album-by-artist;dur=_;desc="Album by artist: 1 request, 3 keys"'
    )


def test_a_column_of_the_admin_is_one_statement_for_all_rows(statements):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin"))
    page = client.get("/admin/django_server/artist/").content.decode()
    assert "High Voltage, Powerage" in page
    assert sum("django_server_album" in one["sql"] for one in statements) == 1


def test_the_admin_saves_what_it_shows():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("editor"))
    with transaction.atomic():
        client.post("/admin/django_server/album/3/change/", {"title": "Restless", "artist": 2})
        assert [album.title for album in loaders.albums(2)] == ["Restless"]
        transaction.set_rollback(True)


# Transactions


def test_a_loader_sees_the_open_transaction():
    with transaction.atomic():
        Artist.objects.create(pk=9, name="Alice")
        assert loaders.artist(9).name == "Alice"
        transaction.set_rollback(True)
    assert loaders.artist(9) is None


def test_a_loader_sees_the_transaction_of_its_request(monkeypatch):
    def create(request):
        Artist.objects.create(pk=9, name="Alice")
        found = loaders.artist(9)
        transaction.set_rollback(True)  # Fails without a transaction.
        return HttpResponse(found.name)

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    urls = type("urls", (), {"urlpatterns": [path("create", create)]})
    with override_settings(ROOT_URLCONF=urls):
        assert Client().get("/create").content == b"Alice"
    assert loaders.artist(9) is None


def test_an_asynchronous_loader_sees_the_open_transaction_of_its_view():
    seen = []

    async def load():
        seen.append((await loaders.artist.asyncio(9)).name)

    async def main():
        async with ThreadSensitiveContext():
            atomic = transaction.atomic()
            await sync_to_async(atomic.__enter__)()
            await sync_to_async(Artist.objects.create)(pk=9, name="Alice")
            await asyncio.gather(load(), load())
            await sync_to_async(transaction.set_rollback)(True)
            await sync_to_async(atomic.__exit__)(None, None, None)
            await sync_to_async(connections.close_all)()

    asyncio.run(main())
    assert seen == ["Alice", "Alice"]


def test_coroutines_with_different_transactions_share_no_batch():
    async def load(id):
        async with ThreadSensitiveContext():
            found = await loaders.artist.asyncio(id)
            await sync_to_async(connections.close_all)()
            return found.name

    async def main():
        return await asyncio.gather(load(1), load(2))

    before = loaders.artist.stats.batches
    assert asyncio.run(main()) == ["AC/DC", "Accept"]
    assert loaders.artist.stats.batches == before + 2


def test_nothing_is_kept_of_an_asynchronous_request_that_has_ended():
    artist = row_by(Artist, cache=True)

    async def request():
        async with ThreadSensitiveContext() as context:
            found = await artist.asyncio(1)
            assert await artist.asyncio(1) is found
            await sync_to_async(connections.close_all)()
            return weakref.ref(context), weakref.ref(found)

    ended = asyncio.run(request())
    gc.collect()
    assert [reference() for reference in ended] == [None, None]
    assert artist.stats.batches == 1


def test_nothing_is_kept_of_an_asynchronous_view_under_wsgi():
    artist = row_by(Artist, cache=True)

    async def view():
        return weakref.ref(await artist.asyncio(1))

    found = async_to_sync(view)()
    gc.collect()
    assert found() is None


def test_asynchronous_code_below_a_synchronous_view_uses_its_thread(statements):
    with transaction.atomic():
        Artist.objects.create(pk=9, name="Alice")
        assert async_to_sync(loaders.page.asyncio)(9) == {"name": "Alice", "albums": []}
        transaction.set_rollback(True)


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running event loop")
def test_a_synchronous_call_on_an_event_loop_is_refused():
    async def main():
        loaders.artist(1)

    with pytest.raises(LoadError, match=r"use 'await loader\.asyncio\(key\)'") as failed:
        asyncio.run(main())
    assert isinstance(failed.value.__cause__, SynchronousOnlyOperation)


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


# Rounds and queries, side by side


class QueriesTest(RoundsMixin, TestCase):
    def test_rounds_are_asserted_beside_queries(self):
        with self.assertNumQueries(3), self.assertRounds(2):
            loaders.playlist_pages([Playlist.objects.get(name="all")])

    def test_too_many_queries_fail_where_the_rounds_are_right(self):
        twice = asynq.Loader(lambda ids: [Artist.objects.get(pk=id).name for id in ids])
        with (
            self.assertRaisesMessage(AssertionError, "2 != 1 : 2 queries executed, 1 expected"),
            self.assertNumQueries(1),
            self.assertRounds(1),
        ):
            twice.load_many([1, 2])

    def test_too_many_rounds_fail_with_their_explanation(self):
        with (
            self.assertRaisesMessage(AssertionError, "2 rounds, expected exactly 1"),
            self.assertNumQueries(3),
            self.assertRounds(1),
        ):
            loaders.playlist_pages([Playlist.objects.get(name="all")])

    def test_a_round_of_cached_values_needs_no_query(self):
        with asynq.request(), self.assertNumQueries(2), self.assertRounds(1):
            loaders.pages([1, 2])
            loaders.pages([1, 2])


def test_the_fixture_counts_rounds_beside_queries(statements, asynq_rounds):
    with asynq_rounds(exactly={"Artist by pk": 1, "Album by artist": 1}):
        loaders.pages([1, 2, 3])
    assert len(statements) == 2


# Loaders


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


# The documentation


def test_the_examples_of_the_module_are_true():
    names = {"Album": Album, "Artist": Artist, "Playlist": Playlist}
    test = doctest.DocTestFinder().find(asynq.django, extraglobs=names)[0]
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.fixture(scope="module")
def page():
    names = {"__name__": "django_page"}
    exec(examples("python/howto/django.md"), names)
    return names


@pytest.mark.parametrize(("view", "count"), [("slow_view", 6), ("view", 2)])
def test_the_views_of_the_page_make_as_many_statements_as_it_says(page, view, count, statements):
    answer = page[view](RequestFactory().get(f"/?{IDS}"))
    assert json.loads(answer.content) == PAGES
    assert len(statements) == count


def test_the_asynchronous_view_of_the_page_answers(page):
    request = AsyncRequestFactory().get(f"/?{IDS}")
    assert json.loads(run(page["async_view"](request)).content) == PAGES


def test_the_relations_of_the_page_are_loaded(page):
    lines = page["lines"](Playlist.objects.get(name="all"))
    assert lines[0] == "Breaker by Accept"


def test_the_tenants_of_the_page_see_their_rows(page):
    page["tenant"].set(2)
    documents = page["document"].load_many(["Breaker", "Powerage"], return_exceptions=True)
    assert documents[0].title == "Breaker"
    assert isinstance(documents[1], MissingKeyError)


def test_the_test_of_the_page_passes(page):
    result = page["PageTest"]("test_page").run()
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
