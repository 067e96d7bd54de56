"""The limit of a group of loaders, for all kinds of batch functions and wherever they run."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import greenlet
import pytest
from forks import child, needs_fork
from programs import assert_ends_well

import asynq
from asynq import LoadTimeoutError
from asynq.loaders import Group, Loader
from asynq.stores.sqlite import Sqlite

SECONDS = 30  # After which a test that waits in vain fails.


class Running:
    """Counts the batch functions that are running."""

    def __init__(self):
        self.now = self.most = self.calls = 0
        self.lock = threading.Lock()

    def __enter__(self):
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *exception):
        with self.lock:
            self.now -= 1


def nothing(keys):
    return []


def plain(running, load=nothing, **settings):
    def function(keys):
        with running:
            time.sleep(0.001)
        load(keys)
        return [10 * key for key in keys]

    return Loader(function, **settings)


def blocking(running, load=nothing, **settings):
    return plain(running, load, blocking=True, **settings)


def coroutine(running, load=nothing, **settings):
    async def function(keys):
        with running:
            await asyncio.sleep(0.001)
        await asyncio.gather(*load(keys, lambda loader, key: loader.asyncio(key)))
        return [10 * key for key in keys]

    if load is nothing:
        load = lambda keys, ask: []  # noqa: E731
    return Loader(function, **settings)


tick = Loader(lambda keys: time.sleep(0.001) or keys, blocking=True)


def task(running, load=nothing, **settings):
    @asynq.asynq()
    def function(keys):
        with running:
            time.sleep(0.001)
        yield tick.asynq(1)
        if load is not nothing:
            yield load(keys, lambda loader, key: loader.asynq(key))
        return [10 * key for key in keys]

    return Loader(function, **settings)


def asking(kind, inner, running, **settings):
    """A loader of this kind, whose function loads its keys from another one."""
    if kind in (plain, blocking):
        return kind(running, inner.load_many, **settings)
    return kind(running, lambda keys, ask: [ask(inner, key) for key in keys], **settings)


KINDS = [plain, blocking, coroutine, task]
kinds = pytest.mark.parametrize("kind", KINDS)
inner_kinds = pytest.mark.parametrize("inner_kind", KINDS)


def synchronously(loads):
    """Loads pairs of a loader and a key, together."""

    @asynq.asynq()
    def load_all():
        return (yield [loader.asynq(key) for loader, key in loads])

    return load_all()


def in_coroutines(loads):
    async def load_all():
        together = asyncio.gather(*[loader.asyncio(key) for loader, key in loads])
        return await asyncio.wait_for(together, SECONDS)

    return asyncio.run(load_all())


def in_threads(loads):
    with ThreadPoolExecutor(len(loads)) as pool:
        return list(pool.map(lambda load: load[0](load[1]), loads))


ways = pytest.mark.parametrize("load_all", [synchronously, in_coroutines, in_threads])


@pytest.fixture
def running():
    return Running()


@ways
def test_loaders_of_all_kinds_send_one_batch_at_a_time(running, load_all):
    group = Group(max_in_flight=1)
    loaders = [kind(running, group=group, max_batch_size=1) for kind in KINDS]
    loads = [(loader, key) for key in range(4) for loader in loaders]
    assert load_all(loads) == [10 * key for _, key in loads]
    assert running.calls == 16
    assert running.most == 1
    assert group.limit._free == 1


@ways
def test_as_many_batches_overlap_as_the_group_allows(load_all):
    meeting = threading.Barrier(2)
    running = Running()

    def function(keys):
        with running:
            meeting.wait(SECONDS)
        return keys

    group = Group(max_in_flight=2)
    loaders = [Loader(function, blocking=True, group=group) for _ in range(4)]
    assert load_all([(loader, 1) for loader in loaders]) == [1] * 4
    assert running.most == 2


@ways
@kinds
@inner_kinds
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_nested_load_of_the_same_group_does_not_hang(running, kind, inner_kind, load_all):
    group = Group(max_in_flight=1)
    inner = inner_kind(running, group=group, max_batch_size=2)
    outer = asking(kind, inner, running, group=group, max_batch_size=1)
    loads = [(outer, key) for key in range(3)]
    assert load_all(loads) == [0, 10, 20]
    assert running.most == 1
    assert group.limit._free == 1


@kinds
def test_a_load_through_a_loader_outside_of_the_group_does_not_hang(running, kind):
    group = Group(max_in_flight=1)
    innermost = coroutine(running, group=group)
    between = asking(blocking, innermost, Running())
    outer = asking(kind, between, running, group=group)
    assert synchronously([(outer, 1)]) == [10]
    assert running.most == 1


@ways
def test_limits_of_a_loader_and_of_its_group_do_not_block_each_other(running, load_all):
    group = Group(max_in_flight=2)
    settings = {"group": group, "max_in_flight": 1, "max_batch_size": 1}
    loaders = [kind(running, **settings) for kind in (blocking, coroutine, blocking)]
    loads = [(loader, key) for key in range(4) for loader in loaders]
    assert load_all(loads) == [10 * key for _, key in loads]
    assert running.most <= 2


def test_groups_limit_only_their_own_loaders():
    meeting = threading.Barrier(2)

    def function(keys):
        meeting.wait(SECONDS)
        return keys

    groups = [Group(max_in_flight=1), Group(max_in_flight=1)]
    loaders = [Loader(function, blocking=True, group=group) for group in groups]
    assert synchronously([(loader, 1) for loader in loaders]) == [1, 1]


def test_a_group_without_a_limit_lets_tasks_overlap(running):
    @asynq.asynq()
    def function(keys):
        with running:
            yield tick.asynq(1)
        return keys

    group = Group()
    loaders = [Loader(function, group=group) for _ in range(3)]
    assert synchronously([(loader, 1) for loader in loaders]) == [1] * 3
    assert running.most == 3


@pytest.fixture
def held():
    """A group whose only permit is held, until the event is set."""
    group, go_on, started = Group(max_in_flight=1), threading.Event(), threading.Event()

    def function(keys):
        started.set()
        go_on.wait(SECONDS)
        return keys

    holder = Loader(function, blocking=True, group=group)
    thread = threading.Thread(target=holder, args=(1,))
    thread.start()
    started.wait(SECONDS)
    yield group, go_on
    go_on.set()
    thread.join()


@kinds
def test_a_batch_waits_for_another_thread(held, running, kind):
    group, go_on = held
    loader = kind(running, group=group)
    threading.Timer(0.02, go_on.set).start()
    assert loader(1) == 10
    assert go_on.is_set()


@pytest.mark.parametrize("kind", [blocking, coroutine, task])
@pytest.mark.parametrize("load_all", [synchronously, in_coroutines])
def test_a_timeout_covers_the_wait_for_the_group(held, running, kind, load_all):
    group, go_on = held
    loader = kind(running, group=group, timeout=0.02)
    with pytest.raises(LoadTimeoutError):
        load_all([(loader, 1)])
    assert running.calls == 0
    go_on.set()
    while group.limit._free == 0:
        time.sleep(0.001)
    assert group.limit._waiting == 0
    assert kind(running, group=group)(2) == 20


def test_a_timeout_covers_the_call_of_a_task(running):
    never = Loader(lambda keys: time.sleep(0.2) or keys, blocking=True)

    @asynq.asynq()
    def function(keys):
        return (yield [never.asynq(key) for key in keys])

    loader = Loader(function, group=Group(max_in_flight=1), timeout=0.02)
    with pytest.raises(LoadTimeoutError):
        loader(1)


def test_a_cancelled_load_leaves_the_queue(held, running):
    group, go_on = held
    loader = coroutine(running, group=group)

    async def main():
        load = asyncio.ensure_future(loader.asyncio(1))
        while not group.limit._waiting:
            await asyncio.sleep(0)
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        while group.limit._waiting:
            await asyncio.sleep(0)
        go_on.set()
        return await loader.asyncio(2)

    assert asyncio.run(asyncio.wait_for(main(), SECONDS)) == 20


@pytest.mark.parametrize("kind", [plain, task])
def test_an_interrupt_ends_the_wait_for_the_group(held, running, kind):
    group, go_on = held
    loader = kind(running, group=group)

    def interrupt():
        while not group.limit._waiting:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loader(1)
    go_on.set()
    assert loader(2) == 20
    assert group.limit._waiting == 0


@pytest.mark.parametrize("kind", [plain, task])
def test_a_function_that_fails_gives_its_permit_back(kind):
    class Failing(Running):
        def __exit__(self, *exception):
            raise ValueError("no")

    group = Group(max_in_flight=1)
    loader = kind(Failing(), group=group)
    with pytest.raises(asynq.LoadError, match="ValueError: no"):
        loader(1)
    assert group.limit._free == 1


def test_a_plain_function_runs_under_the_contexts_of_its_flush():
    active = []

    class Context(asynq.AsyncContext):
        def resume(self):
            active.append(self)

        def pause(self):
            active.remove(self)

    seen = []
    group = Group(max_in_flight=1)
    loaders = [
        Loader(lambda keys: seen.append(len(active)) or keys, group=group),
        coroutine(Running(), group=group),
    ]

    @asynq.asynq()
    def load():
        with Context():
            yield [loader.asynq(1) for loader in loaders]

    @asynq.asynq()
    def both():
        yield [load.asynq(), load.asynq()]

    both()
    assert seen == [0]


@needs_fork
def test_a_forked_process_has_all_permits(held):
    group, go_on = held
    loader = Loader(list, group=group)
    with child(lambda: loader(1)):
        pass
    go_on.set()


def test_loaders_of_a_store_have_a_group(tmp_path):
    connection = sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("INSERT INTO user VALUES (1, 'ann')")
    connection.close()
    database = Sqlite(tmp_path / "test.sqlite")
    group = Group(max_in_flight=1)
    user = database.row_by("user", "id", columns="name", row=str, group=group)
    names = database.rows_by("user", "id", columns="name", row=str, group=group)
    with group.scope():
        assert synchronously([(user, 1), (names, 1)]) == ["ann", ["ann"]]
        assert [user(1), names(1)] == ["ann", ["ann"]]
    assert user.stats.batches == names.stats.batches == 1
    database.close()


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


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_call_on_an_event_loop_that_waits_for_coroutines_of_that_loop_ends(running):
    # Which holds the permit that the innermost of the three loaders needs.
    group = Group(max_in_flight=1)
    innermost = coroutine(running, group=group)
    between = asking(coroutine, innermost, running)
    outer = asking(blocking, between, running)

    async def main():
        holder = asyncio.ensure_future(innermost.asyncio(1))
        while group.limit._free:
            await asyncio.sleep(0)
        return outer(2), await holder

    assert asyncio.run(asyncio.wait_for(main(), SECONDS)) == (20, 10)
