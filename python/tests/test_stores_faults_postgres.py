"""Faults of PostgreSQL, injected into the real server.

Nothing hangs, each load ends with a value or an error that names loader and key, and the next flush
works.
"""

from __future__ import annotations

import threading

import psycopg
import pytest
from faults import assert_named, cancel_in_flight, each, interrupt_while_waiting
from servers.postgres import PostgresServer

import asynq
from asynq.stores.postgres import Postgres

SECONDS = 30  # After which a test that waits in vain fails.


@pytest.fixture
def server():
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE names (id INTEGER, name TEXT, code TEXT)")
            connection.execute("INSERT INTO names VALUES (1, 'one', '1'), (2, 'two', 'x')")
            # It has to be there after a crash, and nothing is synchronised.
            connection.execute("CHECKPOINT")
        yield server


@pytest.fixture
def store(server):
    store = Postgres(server.conninfo)
    yield store
    store.close()


def names(store, **settings):
    return store.row_by("names", "id", columns="name", row=str, name="name", **settings)


def test_killed_before_a_flush(server, store):
    name = names(store)
    server.kill()
    one, two = each(name.asynq(1), name.asynq(2))
    assert_named(one)
    assert_named(two, 2)
    server.start()
    assert name(1) == "one"


def test_killed_during_a_flush(server, store):
    sent = threading.Event()
    name = names(store, before_flush=lambda keys: sent.set())
    assert name(1) == "one"
    sent.clear()
    server.pause()
    errors = []
    thread = threading.Thread(target=lambda: errors.extend(each(name.asynq(1))))
    thread.start()
    assert sent.wait(SECONDS)
    server.kill()
    thread.join(SECONDS)
    (error,) = errors
    assert_named(error)
    server.start()
    assert name(1) == "one"


def test_killed_after_a_flush(server, store):
    name, other = names(store), names(store)
    each(name.asynq(1), other.asynq(2))
    server.kill()
    server.start()
    # The idle connections are dead, and the client does not know it.
    assert each(name.asynq(1), other.asynq(2)) == ["one", "two"]


def test_paused_past_the_deadline(server, store):
    name = names(store, timeout=0.1)
    quick = asynq.Loader(lambda keys: keys, blocking=True)
    server.pause()
    error, value = each(name.asynq(1), quick.asynq(7))
    assert_named(error)
    assert isinstance(error, TimeoutError)
    assert value == 7
    server.resume()
    assert names(store)(1) == "one"


def test_connection_refused(server, store):
    server.kill()
    (error,) = each(names(store).asynq(1))
    assert_named(error)
    assert isinstance(error.__cause__, psycopg.OperationalError)


def test_a_value_that_does_not_decode(store):
    code = store.row_by("names", "id", columns="code", row=int, name="code")
    one, two = each(code.asynq(1), code.asynq(2))
    assert one == 1
    assert_named(two, 2, "code")


def test_a_key_that_it_cannot_compare(store):
    name = names(store)
    (error,) = each(name.asynq("one"))
    assert_named(error, "'one'")
    assert name(1) == "one"


def test_a_key_that_cannot_be_bound(store):
    code = store.row_by("names", "code", columns="name", row=str, name="code")
    error, one = each(code.asynq("a\0b"), code.asynq("1"))
    assert_named(error, "'a\\x00b'", "code")
    assert one == "one"


def test_a_caller_that_is_interrupted(store):
    name = names(store)
    interrupt_while_waiting(name.asynq(1))
    assert name(1) == "one"


def test_a_caller_that_is_cancelled(server, store):
    name = names(store)
    server.pause()
    cancel_in_flight(name.asynq(1))
    server.resume()
    assert name(1) == "one"
