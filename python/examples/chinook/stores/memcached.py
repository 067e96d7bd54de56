"""A memcached server with one value per key of the three tables."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Callable

from servers.memcached import MemcachedServer

from asynq.stores.memcached import Memcached

from ..database import Database
from .key_value import Values


@contextmanager
def served(database: Database) -> Generator[Callable[[], Values], None, None]:
    with MemcachedServer() as server:

        def connect() -> Values:
            return Values(Memcached(server.address))

        with closing(connect()) as values:
            values.fill(database)
        yield connect
