"""Loaders of `asynq.django` use the connection and the transaction of their request."""

import asyncio
import gc
import weakref

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django_music import database  # Sets Django up for the imports below.

# isort: split

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django_server import loaders
from django_server.models import Artist

from asynq.django import row_by
from asynq.loaders import LoadError


@pytest.fixture(scope="module", autouse=True)
def _database(tmp_path_factory):
    with database(tmp_path_factory.mktemp("django") / "music.sqlite"):
        yield


@pytest.fixture
def statements():
    """A block that records the statements on the connection of this thread."""
    with CaptureQueriesContext(connection) as captured:
        yield captured


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
