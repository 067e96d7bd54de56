"""`asynq.sqlalchemy` with asynchronous sessions: their statements, and timeouts."""

import asyncio

import pytest
from servers.postgres import PostgresServer
from sqlalchemy import event, func, select
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy_albums import Album, Base, Music, fill, in_async_session, titles

from asynq.loaders import LoadError, LoadTimeoutError
from asynq.sqlalchemy import related, row_by


@pytest.fixture
def statements():
    return []


# Statements


def test_an_asynchronous_session_runs_one_statement_at_a_time(statements):
    async def load(session):
        event.listen(
            session.bind.sync_engine, "after_cursor_execute", lambda *_: statements.append("")
        )
        music, same = Music(session), Music(session)
        return await asyncio.gather(
            music.album.asyncio(1),
            music.titled.asyncio("Breaker"),
            music.parts_of.asyncio(1),
            same.album.asyncio(2),
        )

    box, breaker, parts, same = in_async_session(load, statements)
    assert [box.title, breaker, titles(parts)] == ["Box", same, ["Breaker", "Restless"]]
    # Each one ends before the next one begins.
    assert [statement == "" for statement in statements] == [False, True] * 4


def test_the_relationships_of_an_asynchronous_session_can_be_read_afterwards(statements):
    async def load(session):
        music = Music(session)
        album = await music.album.asyncio(1)
        await music.parts.asyncio(album)
        return titles(album.parts)

    assert in_async_session(load, statements) == ["Restless", "Breaker"]
    assert len(statements) == 2


def test_synchronous_code_loads_in_run_sync(statements):
    async def load(session):
        return await session.run_sync(lambda session: Music(session).album.load_many([1, 2]))

    assert titles(in_async_session(load, statements)) == ["Box", "Breaker"]
    assert len(statements) == 1


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running event loop")
def test_an_asynchronous_session_refuses_synchronous_calls(statements):
    async def load(session):
        with pytest.raises(LoadError, match="an AsyncSession works on its event loop only"):
            Music(session).album(1)
        with pytest.raises(LoadError, match="an AsyncSession works on its event loop only"):
            await asyncio.to_thread(Music(session).album, 1)
        return (await Music(session).album.asyncio(1)).title

    assert in_async_session(load, statements) == "Box"


# Timeouts


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


class Slow(Music):
    album = row_by(select(Album).where(func.pg_sleep(60).is_(None)), Album.id, timeout=0.1)
    endless = row_by(select(Album).where(func.pg_sleep(60).is_(None)), Album.id)


def on_postgres(function, postgres, driver):
    """Returns `await function(session)`."""

    async def main():
        url = f"postgresql+{driver}://asynq@127.0.0.1:{postgres.port}/postgres"
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        try:
            async with AsyncSession(engine) as session:
                await session.run_sync(fill)
                return await function(session)
        finally:
            await engine.dispose()

    return asyncio.run(main())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_late_statement_of_an_asynchronous_session_is_cancelled(driver, postgres):
    async def main(session):
        with pytest.raises(LoadTimeoutError, match=r"key 1: no answer within 0\.1 s"):
            await Slow(session).album.asyncio(1)
        await session.rollback()
        return (await Music(session).album.asyncio(1)).title

    assert on_postgres(main, postgres, driver) == "Box"


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_statement_that_is_cancelled_ends_before_the_next_one_begins(driver, postgres):
    async def main(session):
        is_running = asyncio.Event()
        event.listen(session.bind.sync_engine, "before_cursor_execute", lambda *_: is_running.set())
        slow = asyncio.ensure_future(Slow(session).endless.asyncio(1))
        await is_running.wait()
        other = Music(session).album.asyncio(1)
        slow.cancel()
        with pytest.raises(LoadError) as failed:
            await other
        assert isinstance(failed.value.__cause__, PendingRollbackError)
        await session.rollback()
        return (await Music(session).album.asyncio(1)).title

    assert on_postgres(main, postgres, driver) == "Box"


def test_a_statement_that_is_not_late_is_answered(statements):
    class Fast(Music):
        album = row_by(Album, timeout=60)
        parts = related(Album.parts, timeout=60)

    async def main(session):
        fast = Fast(session)
        album = await fast.album.asyncio(1)
        await fast.parts.asyncio(album)
        return titles(await fast.parts.asyncio(album))

    assert in_async_session(main, statements) == ["Restless", "Breaker"]
