"""Behaviour of the SQLite store alone, and of its connections."""

import contextlib
import sqlite3
import threading

import pytest
from forks import child, needs_fork
from negating import each
from sql_tables import TABLES

import asynq
from asynq.stores.connections import ConnectionPool
from asynq.stores.sqlite import Sqlite

# Statements


def test_sqlite_looks_keys_up_in_the_index_of_their_column():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript(
        "CREATE TABLE name (name TEXT COLLATE NOCASE, value); CREATE INDEX by_name ON name (name);"
    )
    statements = []
    store = Sqlite(connection)
    connection.set_trace_callback(statements.append)
    store.rows_by("name", "name", columns="value").load_many(["ann", "ben"])
    connection.set_trace_callback(None)
    plan = connection.execute("EXPLAIN QUERY PLAN " + statements[-1]).fetchall()
    assert any("SEARCH t USING INDEX by_name (name=?)" in step for *_, step in plan), plan
    store.close()


def test_sqlite_makes_an_index_for_many_keys_of_a_column_without_one():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE number (number INTEGER, value)")
    statements = []
    store = Sqlite(connection)
    connection.set_trace_callback(statements.append)
    store.rows_by("number", "number", columns="value").load_many(range(40_000))
    connection.set_trace_callback(None)
    assert len(statements) == 3
    for sent in statements:
        plan = connection.execute("EXPLAIN QUERY PLAN " + sent).fetchall()
        assert any("USING AUTOMATIC COVERING INDEX" in step for *_, step in plan), plan
    store.close()


def test_keys_of_sqlite_have_any_type_that_it_stores():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE pair (key, value)")
    keys = [b"\0\xff", 2**62 + 1, 1.5, "text"]
    connection.executemany("INSERT INTO pair VALUES (?, ?)", [(key, repr(key)) for key in keys])
    store = Sqlite(connection)
    value = store.row_by("pair", "key", columns="value", row=str)
    assert each(value, keys) == [repr(key) for key in keys]
    store.close()


# Connections


def test_the_rows_of_a_connection_of_sqlite_may_have_another_form():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript(TABLES)
    connection.row_factory = lambda cursor, row: dict(enumerate(row))
    store = Sqlite(connection)
    assert store.row_by("artist", "artist_id", columns="name", row=str)(1) == "AC/DC"
    store.close()


def test_a_connection_in_memory_is_a_store():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript(TABLES)
    store = Sqlite(connection)
    loaders = [store.row_by("artist", "artist_id", columns="name", row=str) for _ in range(3)]

    @asynq.asynq()
    def all_of_them():
        return (yield [loader.asynq(1) for loader in loaders])

    assert all_of_them() == ["AC/DC"] * 3
    store.close()


def test_memory_needs_a_connection():
    with pytest.raises(ValueError, match="pass one connection"):
        Sqlite(":memory:")


@pytest.mark.parametrize("blocking", [True, False])
def test_sqlite_may_be_asked_on_the_thread_of_the_caller(tmp_path, blocking):
    path = tmp_path / "music.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    store = Sqlite(path, blocking=blocking)
    thread = store.row_by(
        "artist", "artist_id", columns="name", row=lambda _: threading.get_ident()
    )
    assert (thread(1) == threading.get_ident()) is not blocking
    store.close()


@needs_fork
def test_a_forked_process_may_use_a_connection_that_was_busy():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE numbers (number INTEGER)")
    is_busy, goes_on = threading.Event(), threading.Event()
    store = Sqlite(connection)

    def wait():
        is_busy.set()
        goes_on.wait(30)

    connection.create_function("wait", 0, wait)
    thread = threading.Thread(
        target=store._connections.run, args=(lambda one: one.execute("SELECT wait()"),)
    )
    thread.start()
    assert is_busy.wait(30)
    with child(lambda: store._connections.run(lambda one: None)):
        pass
    goes_on.set()
    thread.join()
    store.close()
    thread.join(30)
    store.close()


class Connection:
    closed = False

    def commit(self):
        pass

    def close(self):
        self.closed = True


def test_a_connection_that_comes_back_after_the_store_was_closed_is_closed():
    connections = ConnectionPool(Connection, lambda connection, error: False)

    def work(connection):
        connections.close()
        return connection

    assert connections.run(work).closed
    assert not connections.run(lambda connection: connection).closed


def test_a_connection_that_was_being_opened_when_the_store_was_closed_is_closed():
    def connect():
        connections.close()
        return Connection()

    connections = ConnectionPool(connect, lambda connection, error: False)
    assert connections.run(lambda connection: connection).closed
