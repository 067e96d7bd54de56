"""Behaviour that all SQL stores share, with SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import enum
import sqlite3
import threading
from typing import NamedTuple

import psycopg
import pytest
from forks import child, needs_fork
from psycopg.rows import dict_row
from servers.postgres import PostgresServer

import asynq
from asynq import LoadError, MissingKeyError
from asynq.stores.connections import ConnectionPool
from asynq.stores.postgres import Postgres, statement
from asynq.stores.selection import Selection
from asynq.stores.sqlite import Sqlite

TABLES = """
    CREATE TABLE artist (artist_id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, NULL);
    CREATE TABLE album (album_id INTEGER PRIMARY KEY, title TEXT, artist_id INTEGER);
    INSERT INTO album VALUES (1, 'Powerage', 1), (2, 'Breaker', 2), (3, 'Accept', 2);
    CREATE TABLE "odd ""table" ("odd ""key" TEXT, "select" TEXT);
    CREATE TABLE "100%s ?" ("%" TEXT, "%%" TEXT);
    INSERT INTO "100%s ?" VALUES ('key', 'value');
    INSERT INTO "odd ""table" VALUES ('a''; DROP TABLE artist; --', 'quoted'), ('ü', 'umlaut');
"""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(request, tmp_path_factory):
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("sqlite") / "music.sqlite"
        connection = sqlite3.connect(path)
        connection.executescript(TABLES)
        connection.close()
        store = Sqlite(path)
        yield store
        store.close()
        return
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute(TABLES)
        store = Postgres(server.conninfo)
        yield store
        store.close()


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


def test_a_row_for_each_key(store):
    artist = store.row_by("artist", "artist_id", columns=["artist_id", "name"])
    assert each(artist, [2, 1, 2, 3]) == [
        {"artist_id": 2, "name": "Accept"},
        {"artist_id": 1, "name": "AC/DC"},
        {"artist_id": 2, "name": "Accept"},
        {"artist_id": 3, "name": None},
    ]
    assert artist.stats.batches == 1


def test_all_rows_of_each_key_in_their_order(store):
    albums = store.rows_by("album", "artist_id", columns=["title"], order_by="title")
    assert each(albums, [1, 2, 3]) == [
        [{"title": "Powerage"}],
        [{"title": "Accept"}, {"title": "Breaker"}],
        [],
    ]
    assert albums.stats.batches == 1


def test_a_row_is_made_into_what_the_caller_wants(store):
    class Album(NamedTuple):
        id: int
        title: str

    albums = store.rows_by("album", "artist_id", columns=["album_id", "title"], row=Album)
    assert albums(1) == [Album(1, "Powerage")]
    name = store.row_by("artist", "artist_id", columns="name", row=str.upper)
    assert name(2) == "ACCEPT"


def test_a_key_without_a_row_is_missing(store):
    artist = store.row_by("artist", "artist_id", columns=["name"])
    with pytest.raises(MissingKeyError, match="loader artist by artist_id, key 7: the batch"):
        artist(7)


def test_a_default_takes_the_place_of_a_row(store):
    artist = store.row_by("artist", "artist_id", columns=["name"], default=None, name="artist")
    assert each(artist, [1, 7]) == [{"name": "AC/DC"}, None]
    assert artist.name == "artist"


def test_several_rows_of_one_key_are_not_one(store):
    album = store.row_by("album", "artist_id", columns=["title"])
    with pytest.raises(LoadError, match="key 2: ValueError: there are 2 rows for it"):
        album(2)
    assert album(1) == {"title": "Powerage"}


@needs_fork
def test_a_forked_process_has_connections_of_its_own(store):
    name = store.row_by("artist", "artist_id", columns="name", row=str)
    name(1)

    def check(key, expected):
        assert {name(key) for _ in range(100)} == {expected}

    with child(lambda: check(2, "Accept")):
        check(1, "AC/DC")
    check(1, "AC/DC")


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


def test_names_are_quoted_and_keys_are_bound(store):
    odd = store.row_by('odd "table', 'odd "key', columns=["select"], row=str)
    assert each(odd, ["a'; DROP TABLE artist; --", "ü"]) == ["quoted", "umlaut"]
    assert store.row_by("artist", "artist_id", columns="name", row=str)(1) == "AC/DC"


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    "bad",
    ["\ud800", object(), Colour.RED, ("a",)],
    ids=["lone surrogate", "object", "enum", "tuple"],
)
def test_a_key_that_cannot_be_bound_fails_alone(store, bad):
    artist = store.rows_by("artist", "name", columns="artist_id", row=int)
    futures = [artist.asynq(key) for key in ("AC/DC", bad, "Accept")]
    error = futures[1].error()
    assert isinstance(error, LoadError)
    assert error.key is bad
    assert [futures[0].value(), futures[2].value()] == [[1], [2]]


@pytest.mark.parametrize("bad", [Colour.RED, ("a",)], ids=["enum", "tuple"])
def test_a_filter_that_cannot_be_bound_is_an_error(store, bad):
    artist = store.rows_by("artist", "name", columns="artist_id", where={"name": bad})
    with pytest.raises(LoadError):
        artist("AC/DC")


class Rank(enum.IntEnum):
    FIRST = 1


def test_a_member_of_an_enumeration_with_values_of_another_type_is_a_key(store):
    artist = store.row_by("artist", "artist_id", columns="name", row=str)
    assert artist(Rank.FIRST) == "AC/DC"


def test_a_key_of_several_columns_is_a_tuple_of_their_values(store):
    album = store.row_by("album", ["artist_id", "title"], columns="album_id", row=int)
    assert each(album, [(2, "Accept"), (2, "Breaker")]) == [3, 2]
    assert album.name == "album by artist_id, title"


@pytest.mark.parametrize("key", [2, "ab", (2,), (2, "Accept", 3)], ids=repr)
def test_a_key_of_another_shape_fails_alone(store, key):
    album = store.row_by("album", ["artist_id", "title"], columns="album_id", row=int)
    good, bad = album.asynq((2, "Accept")), album.asynq(key)
    assert good.value() == 3
    assert "the key must be a tuple (artist_id, title)" in str(bad.error())


def test_where_is_a_dict(store):
    with pytest.raises(TypeError, match="where must be a dict"):
        store.rows_by("album", "artist_id", columns="title", where="deleted_at IS NULL")


def test_a_filter_of_a_wrong_name_is_an_error_that_says_so(store):
    albums = store.rows_by("album", "artist_id", columns="title", where={"deleted": None})
    with pytest.raises(LoadError, match="deleted"):
        albums(1)


def test_a_table_may_be_called_like_a_part_of_the_statement(store):
    for table in ("t", "k", "typed"):
        store.loader(
            lambda connection, keys, table=table: [
                connection.execute(f'CREATE TABLE "{table}" (key1 INTEGER, column2 TEXT)')
                and connection.execute(f"INSERT INTO \"{table}\" VALUES (1, 'value')")
                for _ in keys
            ]
        )(1)
        assert store.row_by(table, "key1", columns="column2", row=str)(1) == "value"


def test_a_loader_with_sql_of_ones_own_uses_a_connection_of_the_store(store):
    @store.loader(default=0, max_batch_size=2)
    def albums(connection, names):
        return {
            name: connection.execute(
                "SELECT count(*) FROM album NATURAL JOIN artist WHERE name = "
                f"'{name}' GROUP BY name"
            ).fetchone()[0]
            for name in names
            if name != "nobody"
        }

    assert each(albums, ["AC/DC", "nobody", "Accept"]) == [1, 0, 2]
    assert albums.stats.batches == 2
    assert albums.name.endswith("<locals>.albums")


def test_the_function_of_a_loader_is_not_async(store):
    with pytest.raises(TypeError, match="must not be async"):

        @store.loader
        async def albums(connection, names):
            return {}


def test_blocking_is_a_setting_of_the_store(store):
    with pytest.raises(TypeError, match="blocking is a setting of the store"):
        store.loader(lambda connection, keys: keys, blocking=True)


def test_a_name_may_have_what_stands_for_a_parameter(store):
    odd = store.rows_by("100%s ?", "%", columns=["%%"], order_by="%")
    assert odd("key") == [{"%%": "value"}]


@pytest.mark.parametrize(
    ("column", "columns", "order_by"),
    [
        ("artist", ["title"], None),
        ("artist_id", ["tilte"], None),
        ("artist_id", ["title"], "tilte"),
    ],
)
def test_a_column_that_is_not_there_is_an_error_that_says_so(store, column, columns, order_by):
    albums = store.rows_by("album", column, columns=columns, order_by=order_by)
    with pytest.raises(LoadError, match=r"(no such column|column .* does not exist)"):
        albums(1)


def test_a_row_that_cannot_be_made_fails_its_key_alone(store):
    number = store.row_by("artist", "artist_id", columns="name", row=lambda name: name[0])
    good, bad = number.asynq(1), number.asynq(3)
    assert good.value() == "A"
    assert str(bad.error()).startswith("loader artist by artist_id, key 3: TypeError: ")


def test_batches_have_no_more_keys_than_asked(store):
    artist = store.row_by(
        "artist", "artist_id", columns="name", row=lambda name: name, max_batch_size=2
    )
    assert each(artist, [1, 2, 3]) == ["AC/DC", "Accept", None]
    assert artist.stats.batches == 2


def test_a_size_that_makes_no_sense_is_refused(store):
    with pytest.raises(ValueError, match="max_batch_size must be 1 or more"):
        store.row_by("artist", "artist_id", columns="name", max_batch_size=0)


def test_a_batch_may_be_large(store):
    artist = store.row_by("artist", "artist_id", columns="name", default=None, row=str)
    assert each(artist, range(1, 100_000))[:3] == ["AC/DC", "Accept", "None"]


def test_coroutines_share_a_statement(store):
    artist = store.row_by("artist", "artist_id", columns="name", row=str)

    async def main():
        return await asyncio.gather(artist.asyncio(1), artist.asyncio(2))

    assert asyncio.run(main()) == ["AC/DC", "Accept"]
    assert artist.stats.batches == 1


@pytest.mark.parametrize("name", ["", "a\0b"], ids=repr)
def test_a_name_that_is_none_is_refused(store, name):
    with pytest.raises(ValueError, match="must be non-empty and without NUL"):
        store.row_by(name, "artist_id", columns=["name"])


@pytest.mark.parametrize("name", [None, 7], ids=repr)
def test_a_name_is_a_str(store, name):
    with pytest.raises(TypeError, match="the name of a table or column must be a str"):
        store.row_by(name, "artist_id", columns=["name"])


def test_a_row_has_columns(store):
    with pytest.raises(ValueError, match="columns must name at least one column"):
        store.row_by("artist", "artist_id", columns=[])


def test_a_table_that_is_not_there_is_an_error_that_says_so(store):
    with pytest.raises(LoadError, match="nowhere"):
        store.row_by("nowhere", "id", columns=["name"])(1)
    assert store.row_by("artist", "artist_id", columns="name", row=str)(1) == "AC/DC"


def test_a_schema_says_where_the_table_is(store):
    schema = "main" if isinstance(store, Sqlite) else "public"
    artist = store.row_by("artist", "artist_id", schema=schema, columns="name", row=str)
    assert artist(1) == "AC/DC"


# PostgreSQL


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE number (id INTEGER PRIMARY KEY, text TEXT)")
            connection.execute("INSERT INTO number SELECT i, i FROM generate_series(1, 9999) i")
            connection.execute("ANALYZE number")
        yield server


def test_a_connection_is_not_left_in_a_transaction(server):
    store = Postgres(lambda: psycopg.connect(server.conninfo, application_name="idle"))
    text = store.row_by("number", "id", columns="text", row=str)
    assert each(text, [1, 2]) == ["1", "2"]
    assert isinstance(text.asynq("three").error(), LoadError)
    with psycopg.connect(server.conninfo) as connection:
        states = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE application_name = 'idle'"
        ).fetchall()
    assert set(states) == {("idle",)}
    store.close()


def test_a_batch_sees_what_was_committed_before_it(server):
    def connect():
        connection = psycopg.connect(server.conninfo)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    store = Postgres(connect, connections=1)
    text = store.row_by("number", "id", columns="text", row=str)
    assert text(7) == "7"
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE number SET text = 'seven' WHERE id = 7")
        assert text(7) == "seven"
        connection.execute("UPDATE number SET text = '7' WHERE id = 7")
    store.close()


def test_postgres_looks_keys_up_in_the_index_of_their_column(server):
    with psycopg.connect(server.conninfo) as connection:
        selection = Selection("number", "id", "text")
        for keys in ([1], ["1"], [decimal.Decimal(1)], [1.0]):
            parameters = {"keys0": [str(int(key)) for key in keys]}
            plan = connection.execute("EXPLAIN " + statement(selection), parameters).fetchall()
            assert any("Index Scan using number_pkey" in line for (line,) in plan), plan


def test_the_rows_of_a_connection_may_have_another_form(server):
    store = Postgres(server.conninfo, row_factory=dict_row, cursor_factory=psycopg.ClientCursor)
    assert store.row_by("number", "id", columns=["id", "text"])(7) == {"id": 7, "text": "7"}
    store.close()


# SQLite


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


def test_keys_of_sqlite_have_any_type_that_it_stores():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE pair (key, value)")
    keys = [b"\0\xff", 2**62 + 1, 1.5, "text"]
    connection.executemany("INSERT INTO pair VALUES (?, ?)", [(key, repr(key)) for key in keys])
    store = Sqlite(connection)
    value = store.row_by("pair", "key", columns="value", row=str)
    assert each(value, keys) == [repr(key) for key in keys]
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
