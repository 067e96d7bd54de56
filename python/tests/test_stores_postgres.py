"""Behaviour of the PostgreSQL store alone, with a real server."""

import decimal

import psycopg
import pytest
from negating import each
from psycopg.rows import dict_row
from servers.postgres import PostgresServer

from asynq import LoadError
from asynq.stores.postgres import Postgres, statement
from asynq.stores.selection import Selection


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
