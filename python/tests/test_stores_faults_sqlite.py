"""Faults of a SQLite database, injected into a real one.

Nothing hangs, each load ends with a value or an error that names loader and key, and the next flush
works.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from faults import assert_named, cancel_in_flight, each, interrupt_while_waiting

import asynq
from asynq.stores.sqlite import Sqlite


def names(store, **settings):
    return store.row_by("names", "id", columns="name", row=str, name="name", **settings)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "names.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE names (id INTEGER, name TEXT); INSERT INTO names VALUES (1, 'one')"
    )
    connection.close()
    return path


def test_file_missing(path):
    store = Sqlite(f"file:{path}?mode=ro", uri=True)
    saved = path.read_bytes()
    path.unlink()
    name = names(store)
    (error,) = each(name.asynq(1))
    assert_named(error)
    path.write_bytes(saved)
    assert name(1) == "one"
    store.close()


def test_file_is_not_a_database(path):
    saved = path.read_bytes()
    path.write_bytes(b"no database" * 1000)
    store = Sqlite(path)
    name = names(store)
    (error,) = each(name.asynq(1))
    assert_named(error)
    path.write_bytes(saved)
    assert name(1) == "one"
    store.close()


def test_database_locked(path):
    store = Sqlite(path, timeout=0)
    name = names(store)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    (error,) = each(name.asynq(1))
    assert_named(error)
    assert "locked" in str(error)
    lock.execute("ROLLBACK")
    lock.close()
    assert name(1) == "one"
    store.close()


def test_a_text_that_does_not_decode(path):
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO names VALUES (2, CAST(x'ff' AS TEXT))")
    connection.commit()
    connection.close()
    store = Sqlite(path)
    name = names(store)
    (error,) = each(name.asynq(2))
    assert_named(error, 2)
    assert name(1) == "one"
    store.close()


@pytest.fixture
def has_opened():
    return threading.Event()


@pytest.fixture
def store(path, has_opened):
    def connect():
        has_opened.set()
        return sqlite3.connect(path, check_same_thread=False)

    store = Sqlite(connect)
    yield store
    store.close()


@pytest.fixture
def lock(path):
    """Opens a connection that locks the database. Others wait for it, five seconds by default."""
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    yield lock
    lock.close()


def test_database_locked_past_the_deadline(store, lock, has_opened):
    name = names(store, timeout=0.05)
    quick = asynq.Loader(lambda keys: keys, blocking=True)
    error, value = each(name.asynq(1), quick.asynq(7))
    assert_named(error)
    assert isinstance(error, TimeoutError)
    assert value == 7
    assert has_opened.wait(30)
    lock.execute("ROLLBACK")
    assert names(store)(1) == "one"


def test_table_missing(store):
    name = store.row_by("nowhere", "id", columns="name", row=str, name="name")
    (error,) = each(name.asynq(1))
    assert_named(error)
    assert "no such table: nowhere" in str(error)
    assert names(store)(1) == "one"


def test_table_changed_between_two_flushes(store, path):
    name = names(store)
    assert name(1) == "one"
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE names RENAME COLUMN name TO title")
    (error,) = each(name.asynq(1))
    assert_named(error)
    connection.execute("ALTER TABLE names RENAME COLUMN title TO name")
    connection.close()
    assert name(1) == "one"


@pytest.mark.parametrize("key", [2**64, "\ud800", 1j])
def test_a_key_that_cannot_be_bound(store, key):
    name = names(store)
    error, one = each(name.asynq(key), name.asynq(1))
    assert_named(error, repr(key))
    assert one == "one"


def test_a_function_of_a_row_that_raises(store):
    number = store.row_by("names", "id", columns="name", row=int, name="number")
    (error,) = each(number.asynq(1))
    assert_named(error, loader="number")
    assert isinstance(error.__cause__, ValueError)
    assert names(store)(1) == "one"


def test_a_caller_that_is_interrupted(store, lock, has_opened):
    name = names(store)
    interrupt_while_waiting(name.asynq(1))
    assert has_opened.wait(30)
    lock.execute("ROLLBACK")
    assert name(1) == "one"


def test_a_caller_that_is_cancelled(store, lock, has_opened):
    name = names(store)
    cancel_in_flight(name.asynq(1))
    assert has_opened.wait(30)
    lock.execute("ROLLBACK")
    assert name(1) == "one"


def test_a_coroutine_that_is_cancelled(store, lock, has_opened):
    async def main():
        name = names(store)
        waiting = asyncio.ensure_future(name.asyncio(1))
        assert await asyncio.to_thread(has_opened.wait, 30)
        waiting.cancel()
        lock.execute("ROLLBACK")
        return await name.asyncio(1)

    assert asyncio.run(main()) == "one"
