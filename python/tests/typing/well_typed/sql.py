"""Loaders of rows."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple, Optional

from typing_extensions import assert_type

from asynq.loaders import Loader
from asynq.stores.postgres import Postgres
from asynq.stores.sqlite import Sqlite


class Album(NamedTuple):
    id: int
    title: str


def rows_are_what_they_are_made_into() -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE album (id, title, artist)")
    connection.execute("INSERT INTO album VALUES (1, 'Powerage', 2)")
    music = Sqlite(connection)
    album = music.row_by("album", "id", columns=["id", "title"], row=Album)
    assert_type(album, Loader[Any, Album])
    assert_type(album(1).title, str)
    albums = music.rows_by("album", "artist", columns=["id", "title"], row=Album, order_by="id")
    assert_type(albums.load_many([2, 3]), "list[list[Album]]")
    row = music.row_by("album", "id", columns="title", default=None, timeout=1)
    assert_type(row(7), "dict[str, Any] | None")
    title = music.row_by("album", "id", columns="title", row=str, default=None)
    assert_type(title, Loader[Any, Optional[str]])
    assert_type(music.rows_by("album", "artist", columns="title")(2), "list[dict[str, Any]]")
    pair = music.rows_by("album", ("id", "artist"), columns="title", where={"title": "Powerage"})
    assert_type(pair((1, 2)), "list[dict[str, Any]]")

    @music.loader
    def lengths(connection: sqlite3.Connection, titles: list[str]) -> dict[str, int]:
        return {title: len(title) for title in titles}

    @music.loader(default=None, max_batch_size=10)
    def kept(connection: sqlite3.Connection, ids: list[int]) -> dict[int, str]:
        return {}

    assert_type(lengths, Loader[str, int])
    assert_type(kept(1), Optional[str])
    music.close()


def a_database_of_postgres_is_made_without_connecting() -> None:
    music = Postgres("host=localhost", connections=2)
    assert_type(music.row_by("album", "id", columns="title", row=str), Loader[Any, str])
