"""The example server with FastAPI."""

import asyncio

import httpx
import pytest
from fastapi_server.app import albums, app, chinook, name


@pytest.fixture(autouse=True)
def _close():
    yield
    chinook.close()


def get(*paths):
    """Returns the answers to requests at the same time."""

    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await asyncio.gather(*map(client.get, paths))

    return [answer.json() for answer in asyncio.run(main())]


def test_artists_are_loaded_together():
    before = name.stats.batches, albums.stats.batches
    (answer,) = get("/artists?id=1&id=2&id=99999")
    assert answer == [
        {"name": "AC/DC", "albums": ["For Those About To Rock We Salute You", "Let There Be Rock"]},
        {"name": "Accept", "albums": ["Balls to the Wall", "Restless and Wild"]},
        {"name": None, "albums": []},
    ]
    assert (name.stats.batches, albums.stats.batches) == (before[0] + 1, before[1] + 1)


def test_requests_share_no_batch():
    before = name.stats.batches
    first, second = get("/artists?id=1", "/artists?id=2")
    assert [first[0]["name"], second[0]["name"]] == ["AC/DC", "Accept"]
    assert name.stats.batches == before + 2
