"""The scenarios of `crates/asynq/scenarios/rows.json`, which the Rust library is tested by, too."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import psycopg
import pytest
from faults import each
from servers.postgres import PostgresServer

from asynq import LoadError, MissingKeyError
from asynq.stores.postgres import Postgres
from asynq.stores.sqlite import Sqlite

FILE = Path(__file__).parents[2] / "crates/asynq/scenarios/rows.json"
CONVERSIONS = {"integer": int, "real": float, "text": str, "blob": bytes.fromhex}


def cases():
    for scenario in json.loads(FILE.read_text()):
        if "python" in scenario.get("faces", ["python"]):
            for database in scenario["databases"]:
                yield pytest.param(database, scenario, id=f"{database}: {scenario['name']}")


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database(request):
    """Creates a store, in which the statements have been executed."""
    stores = []

    def create(kind, sql):
        if kind == "sqlite":
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            connection.executescript(sql)
            store = Sqlite(connection)
        else:
            server = request.getfixturevalue("server")
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public;" + sql)
            store = Postgres(server.conninfo)
        stores.append(store)
        return store

    yield create
    for store in stores:
        store.close()


def value(typed):
    if typed is None:
        return None
    if isinstance(typed, list):
        return tuple(map(value, typed))
    ((kind, content),) = typed.items()
    return CONVERSIONS[kind](content)


def loaded(method, scenario, **settings):
    """Loads all keys in one batch. Returns pairs of a value or an error, and the expected rows."""
    where = {name: value(typed) for name, typed in scenario.get("where", {}).items()}
    column = scenario.get("column", "k")
    loader = method("t", column, columns="v", row=str, where=where, **settings)
    actual = each(*(loader.asynq(value(key)) for key in scenario["keys"]))
    assert loader.stats.batches == 1
    return zip(actual, scenario["rows"])


@pytest.mark.parametrize(("kind", "scenario"), [*cases()])
def test_rows_by(database, kind, scenario):
    store = database(kind, scenario["sql"])
    for actual, rows in loaded(store.rows_by, scenario, order_by=scenario.get("order_by")):
        if rows is None:
            assert type(actual) is LoadError
        else:
            assert actual == rows


@pytest.mark.parametrize(("kind", "scenario"), [*cases()])
def test_row_by(database, kind, scenario):
    store = database(kind, scenario["sql"])
    for actual, rows in loaded(store.row_by, scenario):
        if rows is not None and len(rows) == 1:
            assert actual == rows[0]
        else:
            assert type(actual) is (MissingKeyError if rows == [] else LoadError)
