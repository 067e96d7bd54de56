"""Behaviour that all SQL stores share, with SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
from typing import NamedTuple

import psycopg
import pytest
from forks import child, needs_fork
from negating import each
from servers.postgres import PostgresServer
from sql_tables import TABLES

from asynq import LoadError, MissingKeyError
from asynq.stores.postgres import Postgres
from asynq.stores.sqlite import Sqlite


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
