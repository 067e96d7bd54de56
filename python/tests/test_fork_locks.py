"""A fork while other threads hold every lock: the child hangs at none of them.

Each test runs in a process of its own, in which each lock of the package and of the clients of its
stores is known.
"""

import pytest
from forks import needs_fork
from programs import assert_ends_well
from servers.memcached import MemcachedServer
from servers.postgres import PostgresServer
from servers.redis import RedisServer

pytestmark = needs_fork

HEAD = """
import os, signal, sys, threading, warnings

locks, new_lock = [], threading.Lock

def known_lock():
    lock = new_lock()
    module = sys._getframe(1).f_globals.get("__name__", "")
    if module.startswith(("asynq", "pymemcache")):
        locks.append(lock)
    return lock

threading.Lock = known_lock
warnings.simplefilter("ignore", DeprecationWarning)
import asynq

def fork_and_check(check):
    # Runs check() here, and in a child that is forked while another thread holds all locks.
    check()
    held, forked = threading.Event(), threading.Event()

    def hold():
        for lock in locks:
            lock.acquire()
        held.set()
        forked.wait()
        for lock in locks:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        status = 1
        try:
            check()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    forked.set()
    thread.join()
    assert status == 0, status
    check()
    print("well")
"""

KINDS = {
    "plain": "@asynq.loader\ndef",
    "blocking": "@asynq.loader(blocking=True)\ndef",
    "limited": "@asynq.loader(blocking=True, max_in_flight=1, timeout=20)\ndef",
    "cached": "@asynq.loader(cache=True)\ndef",
    "coroutine": "@asynq.loader\nasync def",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_loads(kind):
    assert_ends_well(
        HEAD
        + KINDS[kind]
        + """ load(keys):
    return [10 * key for key in keys]

def check():
    with load.scope():
        assert load.load_many([1, 2]) == [10, 20]
        load.clear(1)
        load.clear_all()
        load.prime(3, 30)
        assert load(1) == 10
    assert load.stats.keys >= 3

fork_and_check(check)
"""
    )


def test_limits_of_all_loaders_begin_anew():
    assert_ends_well(
        HEAD
        + """
asynq.loaders.set_max_in_flight(1)

@asynq.loader(blocking=True)
def load(keys):
    return [10 * key for key in keys]

def check():
    assert load.load_many([1, 2]) == [10, 20]

fork_and_check(check)
"""
    )


def test_tools_begin_anew():
    assert_ends_well(
        HEAD
        + """
@asynq.tools.deduplicate()
@asynq.asynq()
def shared(key):
    return (yield asynq.ConstFuture(key))

@asynq.tools.alru_cache(maxsize=2)
@asynq.asynq()
def cached(key):
    return (yield shared.asynq(key))

value = asynq.AsyncScopedValue(0)

@asynq.asynq()
def main():
    with value.override(1):
        keys = yield [cached.asynq(key) for key in (1, 2, 3, 1)]
        return keys, value.get()

def check():
    assert main() == ([1, 2, 3, 1], 1)

fork_and_check(check)
"""
    )


def test_sqlite_begins_anew():
    assert_ends_well(
        HEAD
        + """
import pathlib, sqlite3, tempfile
from asynq.stores.sqlite import Sqlite

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "numbers.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE number AS SELECT 1 AS key, 10 AS ten")
    connection.commit()
    connection.close()
    load = Sqlite(path).row_by("number", "key", columns="ten", row=int)

    def check():
        assert load(1) == 10

    fork_and_check(check)
"""
    )


def test_postgres_begins_anew():
    with PostgresServer() as server:
        assert_ends_well(
            HEAD
            + """
from asynq.stores.postgres import Postgres

store = Postgres(sys.argv[1])
load = store.row_by("pg_type", "oid", columns="typname", row=str)

def check():
    assert load(23) == "int4"

fork_and_check(check)
""",
            server.conninfo,
        )


KEY_VALUE = """
def check():
    store.set("key", b"value")
    assert store.get("key") == b"value"

fork_and_check(check)
"""


@pytest.mark.parametrize("address", ["sys.argv[1]", "[sys.argv[1]]"])
def test_memcached_begins_anew(address):
    with MemcachedServer() as server:
        store = f"from asynq.stores.memcached import Memcached\nstore = Memcached({address})\n"
        assert_ends_well(HEAD + store + KEY_VALUE, f"127.0.0.1:{server.port}")


def test_redis_begins_anew():
    with RedisServer() as server:
        store = "from asynq.stores.redis import Redis\nstore = Redis.from_url(sys.argv[1])\n"
        assert_ends_well(HEAD + store + KEY_VALUE, f"redis://127.0.0.1:{server.port}")
