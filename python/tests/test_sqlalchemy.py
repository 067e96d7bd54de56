"""`AsyncSession.run_sync` of SQLAlchemy: each request runs in its greenlet on an event loop."""

import pytest
from programs import assert_ends_well
from servers.postgres import PostgresServer

PROGRAM = """
import asyncio, sys
import asynq
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

class Batch(asynq.BatchBase):
    def __init__(self, request):
        super().__init__()
        self.request = request

    def _flush(self):
        keys = sorted({item.key for item in self.items})
        statement = text(" UNION ".join(f"SELECT {key}, {10 * key}" for key in keys))
        tens = {key: ten for key, ten in self.request.session.execute(statement)}
        for item in self.items:
            item.set_value(tens[item.key])

    def _try_switch_active_batch(self):
        if self.request.open is self:
            self.request.open = Batch(self.request)

class Item(asynq.BatchItemBase):
    def __init__(self, request, key):
        super().__init__(request.open)
        self.key = key

class Request:
    def __init__(self, session):
        self.session = session
        self.open = Batch(self)

@asynq.loader(blocking=True)
def one(keys):
    return [1 for key in keys]

@asynq.asynq()
def row(request, key):
    first, _ = yield Item(request, key), one.asynq(key)
    return first + (yield Item(request, key + 1))

@asynq.asynq()
def page(request, size):
    return (yield [row.asynq(request, key) for key in range(size)])

async def handle(engine, size):
    async with AsyncSession(engine) as session:
        return await session.run_sync(lambda session: page(Request(session), size))

async def main(url, count):
    engine = create_async_engine(url, pool_size=count)
    sizes = [index % 7 + 1 for index in range(count)]
    pages = await asyncio.gather(*(handle(engine, size) for size in sizes))
    await engine.dispose()
    assert pages == [[20 * key + 10 for key in range(size)] for size in sizes], pages
    print("well")

# In development mode a debugging loop would print callbacks that were slow.
asyncio.run(main(sys.argv[1], int(sys.argv[2])), debug=False)
"""


@pytest.mark.parametrize("count", [6, 40])
def test_requests_on_sqlite_do_not_disturb_each_other(count, tmp_path):
    assert_ends_well(PROGRAM, f"sqlite+aiosqlite:///{tmp_path}/empty.sqlite", str(count))


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("count", [6, 40])
def test_requests_on_postgres_do_not_disturb_each_other(postgres, count):
    url = f"postgresql+psycopg://asynq@127.0.0.1:{postgres.port}/postgres"
    assert_ends_well(PROGRAM, url, str(count))
