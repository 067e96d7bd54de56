"""What can happen to a database of SQLite, injected into a real one.

Nothing hangs, each load ends with a value or an error that names loader and key, and the next flush
works.
"""

from __future__ import annotations

import sqlite3

import pytest

import asynq
from asynq import LoadError
from asynq.stores.sqlite import Sqlite

SECONDS = 30  # After which a test that waits in vain fails.


@asynq.asynq()
def caught(future):
    try:
        return (yield future)
    except LoadError as error:
        return error


@asynq.asynq()
def each(*futures):
    return (yield [caught.asynq(future) for future in futures])


def assert_named(error, key=1, loader="name"):
    assert isinstance(error, LoadError)
    assert str(error).startswith(f"loader {loader}, key {key}: ")


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
