"""A PostgreSQL server with a copy of the three tables."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Callable

import psycopg
from psycopg.sql import SQL, Identifier
from servers.postgres import PostgresServer

from asynq.stores.postgres import Postgres

from ..database import Database
from ..lookup import COLUMNS
from .sqlite import Rows


@contextmanager
def served(database: Database) -> Generator[Callable[[], Rows], None, None]:
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo) as connection:
            _fill(connection, database)
        yield lambda: Rows(Postgres(server.conninfo))


def _fill(connection: psycopg.Connection[tuple[object, ...]], database: Database) -> None:
    for column in COLUMNS:
        names = [Identifier(name) for name in column[:3]]
        kind = SQL("BIGINT" if column.type is int else "TEXT")
        create = SQL("CREATE TABLE {} ({} BIGINT PRIMARY KEY, {} {})").format(*names, kind)
        connection.execute(create)
        with connection.cursor().copy(SQL("COPY {} ({}, {}) FROM STDIN").format(*names)) as copy:
            for row in database.column(column):
                copy.write_row(row)
