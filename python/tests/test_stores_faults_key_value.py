"""Faults of key-value stores, injected into the real server.

Nothing hangs, each operation ends with a value or an error that names store and key, and the next
flush works.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from faults import assert_named, cancel_in_flight, each, interrupt_while_waiting
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

import asynq
from asynq.stores.memcached import Memcached
from asynq.stores.redis import Redis

SECONDS = 30  # After which a test that waits in vain fails.


@pytest.fixture(params=["redis", "memcached"])
def server(request):
    with RedisServer() if request.param == "redis" else MemcachedServer() as server:
        yield server


def open_store(server, **settings):
    if isinstance(server, RedisServer):
        return Redis.from_url(server.url, name="name", **settings)
    return Memcached(server.address, name="name", **settings)


@pytest.fixture
def store(server):
    store = open_store(server)
    store.set("key", "value")
    yield store
    store.close()


def assert_works(store):
    store.set("key", "again")
    assert store.get("key") == b"again"


def test_killed_before_a_flush(server, store):
    server.kill()
    read, written = each(store.get.asynq("key"), store.set.asynq("other", 1))
    assert_named(read, "get 'key'")
    assert_named(written, "set 'other'")
    server.start()
    assert_works(store)


def test_killed_during_a_flush(server, store):
    sent = threading.Event()
    killed = open_store(server, before_flush=lambda operations: sent.set())
    server.pause()
    errors = []
    thread = threading.Thread(target=lambda: errors.extend(each(killed.get.asynq("key"))))
    thread.start()
    assert sent.wait(SECONDS)
    server.kill()
    thread.join(SECONDS)
    (error,) = errors
    assert_named(error, "get 'key'")
    server.start()
    assert_works(killed)
    killed.close()


def test_killed_after_a_flush(server, store):
    assert store.get("key") == b"value"
    server.kill()
    server.start()
    # Its connection is dead, which it may learn by an error, once.
    each(store.get.asynq("key"))
    assert_works(store)


def test_paused_past_the_deadline(server, store):
    # Long enough for the set, also on a machine that is busy.
    hurried = open_store(server, timeout=0.5)
    hurried.set("key", "value")
    server.pause()
    (error,) = each(hurried.get.asynq("key"))
    assert_named(error, "get 'key'")
    server.resume()
    assert_works(store)
    hurried.close()


def test_others_go_on_while_a_store_is_paused(server, store):
    quick = asynq.Loader(lambda keys: keys, blocking=True)
    hurried = open_store(server, timeout=0.1)
    server.pause()
    error, value = each(hurried.get.asynq("key"), quick.asynq(7))
    assert_named(error, "get 'key'")
    assert value == 7
    server.resume()
    hurried.close()


def test_connection_refused(server):
    store = open_store(server)
    server.kill()
    (error,) = each(store.get.asynq("key"))
    assert_named(error, "get 'key'")
    store.close()


def test_a_value_that_does_not_decode(server, store, caplog):
    @store.cached("f")
    @asynq.asynq()
    def f(number):
        return number

    f(1)
    store.set("f:[1]", b"\xff{")
    assert f(1) == 1
    assert "cannot read f:[1] from the cache" in caplog.text


def test_a_cache_that_is_down_loses_no_value(server, store, caplog):
    calls = []

    @store.cached("f")
    @asynq.asynq()
    def f(number):
        calls.append(number)
        return number * 2

    server.kill()
    assert each(*[f.asynq(number) for number in range(3)]) == [0, 2, 4]
    server.start()
    each(*[f.asynq(number) for number in range(3)])
    calls.clear()
    assert each(*[f.asynq(number) for number in range(3)]) == [0, 2, 4]
    assert calls == []


def test_a_caller_that_is_interrupted(server, store):
    interrupt_while_waiting(store.get.asynq("key"))
    assert_works(store)


def test_a_caller_that_is_cancelled(server, store):
    server.pause()
    cancel_in_flight(store.get.asynq("key"))
    server.resume()
    assert_works(store)


def test_a_coroutine_that_is_cancelled(server, store):
    async def main():
        waiting = asyncio.ensure_future(store.get.asyncio("key"))
        await asyncio.sleep(0)
        waiting.cancel()
        other = await store.get.asyncio("key")
        return waiting.cancelled(), other

    assert asyncio.run(main()) == (True, b"value")
    assert_works(store)
