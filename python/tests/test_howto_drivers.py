"""The page about drivers, on real servers: loaders over a pool of the application's event loop."""

import asyncio

import asyncpg
import psycopg
import psycopg_pool
import pytest
import redis.asyncio
from servers.postgres import PostgresServer
from servers.redis import RedisServer
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from test_docs import examples

TABLES = """
    CREATE TABLE artist (id integer PRIMARY KEY, name text NOT NULL);
    CREATE TABLE album (
        id integer PRIMARY KEY, title text NOT NULL, artist_id integer REFERENCES artist
    );
    INSERT INTO artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, 'Aerosmith');
    INSERT INTO album VALUES (1, 'Powerage', 1), (2, 'High Voltage', 1), (3, 'Breaker', 2);
    ALTER ROLE asynq SET log_statement = 'all';
"""
PAGES = [["AC/DC", ["High Voltage", "Powerage"]], ["Accept", ["Breaker"]], ["Aerosmith", []]]


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo) as connection:
            connection.execute(TABLES)
        yield server


@pytest.fixture(scope="module")
def page():
    names = {"__name__": "drivers_page"}
    exec(examples("python/howto/drivers.md"), names)
    return names


@pytest.fixture
def statements(postgres):
    """Returns a function that counts the statements of the test, as the server has logged them."""
    before = len(postgres.log())
    return lambda: postgres.log()[before:].count(" FROM a")


def with_asyncpg(postgres, function):
    """Returns `await function(pool)`."""

    async def main():
        url = f"postgresql://asynq@127.0.0.1:{postgres.port}/postgres"
        async with asyncpg.create_pool(url, min_size=1, max_size=3) as pool:
            return await function(pool)

    return asyncio.run(main())


def test_a_coroutine_for_each_artist_makes_two_statements_each(postgres, page, statements):
    found = with_asyncpg(postgres, lambda pool: page["slow_pages"](pool, [1, 2, 3]))
    assert list(map(list, found)) == PAGES
    assert statements() == 6


def test_loaders_over_a_pool_of_asyncpg_make_two_statements(postgres, page, statements):
    found = with_asyncpg(postgres, lambda pool: page["pages"](page["Music"](pool), [1, 2, 3]))
    assert found == PAGES
    assert statements() == 2


def test_loaders_over_a_pool_of_psycopg_make_two_statements(postgres, page, statements):
    async def main():
        pool = psycopg_pool.AsyncConnectionPool(postgres.conninfo, min_size=1, open=False)
        async with pool:
            return await page["pages"](page["PsycopgMusic"](pool), [1, 2, 3])

    assert asyncio.run(main()) == PAGES
    assert statements() == 2


def test_loaders_of_a_transaction_see_it_and_take_turns(postgres, page):
    async def rename(pool):
        found = await page["rename"](pool, 3, "Aero")
        await page["rename"](pool, 3, "Aerosmith")
        return found

    assert with_asyncpg(postgres, rename) == ["Aero", 0]


def test_tenants_share_no_batch(postgres, page, statements):
    async def load(pool):
        documents = page["Documents"](pool)

        async def title(tenant, id):
            page["tenant"].set(tenant)
            return await documents.title.asyncio(id)

        return await asyncio.gather(title(1, 1), title(2, 1), title(1, 2))

    assert with_asyncpg(postgres, load) == ["Powerage", None, "High Voltage"]
    assert statements() == 2


def test_loaders_over_redis_make_one_command(page):
    async def main(url):
        client = redis.asyncio.from_url(url)
        async with client:
            await client.mset({"plays:1": 10, "plays:2": 20})
            total = await page["total"](page["Counters"](client), [1, 2, 3])
            return total, (await client.info("commandstats"))["cmdstat_mget"]["calls"]

    with RedisServer() as server:
        assert asyncio.run(main(server.url)) == (30, 1)


# SQLAlchemy on a driver whose connections refuse a second statement


def test_the_loaders_of_an_asynchronous_session_take_turns_on_postgresql(postgres):
    names = {"__name__": "sqlalchemy_page"}
    exec(examples("python/howto/sqlalchemy.md"), names)

    async def main():
        engine = create_async_engine(
            f"postgresql+asyncpg://asynq@127.0.0.1:{postgres.port}/postgres"
        )
        event.listen(
            engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        async with AsyncSession(engine) as session:
            titles, music = names["Titles"](session), names["Music"](session)
            found = await asyncio.gather(
                names["pages"].asyncio(music, [1, 2, 3]),
                titles.of_artist.asyncio(1),
                titles.by_title.asyncio("Breaker"),
            )
        await engine.dispose()
        return found

    statements = []
    pages, of_artist, breaker = asyncio.run(main())
    assert list(map(list, pages)) == PAGES
    assert [album.title for album in of_artist] == ["High Voltage", "Powerage"]
    assert breaker.artist.name == "Accept"
    assert len([one for one in statements if "FROM a" in one]) == 4
    names["engine"].dispose()
