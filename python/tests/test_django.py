"""`asynq.django`, with the example server and Django itself."""

import asyncio
import doctest
import json
import re

import httpx
import pytest
from django_music import IDS, PAGES, database, run  # Sets Django up for the imports below.

# isort: split

from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.db import connection, transaction
from django.test import (
    AsyncClient,
    AsyncRequestFactory,
    Client,
    RequestFactory,
    TestCase,
    override_settings,
)
from django.test.utils import CaptureQueriesContext
from django_server import loaders
from django_server.models import Album, Artist, Playlist
from test_docs import examples

import asynq.django
from asynq.loaders import MissingKeyError
from asynq.testing import RoundsMixin


@pytest.fixture(scope="module", autouse=True)
def _database(tmp_path_factory):
    with database(tmp_path_factory.mktemp("django") / "music.sqlite"):
        yield


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
