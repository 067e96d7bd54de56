"""The limit of a group of loaders that run in greenlets or on sessions of SQLAlchemy."""

import greenlet
import pytest
from loader_kinds import Running, coroutine, plain
from programs import assert_ends_well

from asynq.loaders import Group, Loader


@pytest.fixture
def running():
    return Running()


SESSION = """
import asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
import asynq
from asynq.loaders import Group

class Request:
    def __init__(self, session):
        self.session = session
        self.group = Group(max_in_flight=1)

    async def rows(self, ids, factor):
        numbers = ",".join(f"({id})" for id in ids)
        statement = text(f"SELECT column1, {factor} * column1 FROM (VALUES {numbers})")
        return dict((await self.session.execute(statement)).all())

    @asynq.loader(group=lambda self: self.group)
    async def tens(self, ids):
        return await self.rows(ids, 10)

    @asynq.loader(group=lambda self: self.group)
    async def twenties(self, ids):
        tens = await asyncio.gather(*[self.tens.asyncio(id) for id in ids])
        twenties = await self.rows(ids, 20)
        assert [2 * ten for ten in tens] == [twenties[id] for id in ids]
        return twenties

    async def sum(self, id):
        ten, twenty = await asyncio.gather(self.tens.asyncio(id), self.twenties.asyncio(id))
        return ten + twenty

async def handle(engine, size):
    async with AsyncSession(engine) as session:
        request = Request(session)
        with request.group.scope():
            return await asyncio.gather(*[request.sum(id) for id in range(size)])

async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect():
        pass  # Otherwise each of the first sessions would open the only connection, and leave it.
    sums = await asyncio.gather(*[handle(engine, size) for size in range(1, 9)])
    await engine.dispose()
    assert sums == [[30 * id for id in range(size)] for size in range(1, 9)], sums
    print("well")

asyncio.run(main(), debug=False)  # Also in Python's development mode.
"""


def test_loaders_on_a_session_of_sqlalchemy_run_one_statement_at_a_time():
    assert_ends_well(SESSION)


GREENLETS = """
import asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
import asynq
from asynq.loaders import Group

group = Group(max_in_flight=1)

class Request:
    def __init__(self, session):
        self.session = session

    @asynq.loader(group=group)
    def ten(self, ids):
        return [self.session.execute(text(f"SELECT 10 * {id}")).scalar() for id in ids]

async def handle(engine, size):
    async with AsyncSession(engine) as session:
        return await session.run_sync(lambda session: Request(session).ten.load_many(range(size)))

async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect():
        pass  # Otherwise each of the first sessions would open the only connection, and leave it.
    values = await asyncio.gather(*[handle(engine, size) for size in range(1, 9)])
    await engine.dispose()
    assert values == [[10 * id for id in range(size)] for size in range(1, 9)], values
    print("well")

asyncio.run(asyncio.wait_for(main(), 30), debug=False)  # Also in Python's development mode.
"""


def test_a_greenlet_does_not_wait_for_one_that_it_keeps_from_going_on():
    assert_ends_well(GREENLETS)


GEVENT = """
from gevent import monkey; monkey.patch_all()
import time
import gevent
import asynq
from asynq.loaders import Group

group = Group(max_in_flight=1)
running = most = 0

class Request:
    @asynq.loader(group=group)
    def ten(self, ids):
        global running, most
        running += 1
        most = max(most, running)
        time.sleep(0.001)
        running -= 1
        return [10 * id for id in ids]

greenlets = [gevent.spawn(Request().ten, id) for id in range(20)]
gevent.joinall(greenlets, timeout=30)
assert [greenlet.get(block=False) for greenlet in greenlets] == [10 * id for id in range(20)]
assert most == 1, most
print("well")
"""


def test_greenlets_of_gevent_wait_for_each_other():
    assert_ends_well(GEVENT)


@pytest.mark.parametrize("kind", [plain, coroutine])
def test_a_greenlet_that_blocks_the_others_does_not_wait_for_them(running, kind):
    main = greenlet.getcurrent()
    group = Group(max_in_flight=1)
    switching = Loader(lambda keys: main.switch() or keys, group=group)
    suspended = greenlet.greenlet(lambda: switching(1))
    suspended.switch()
    assert greenlet.greenlet(kind(running, group=group)).switch(2) == 20
    assert suspended.switch() == 1
    assert group.limit._free == 1
