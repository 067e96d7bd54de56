"""A Redis server with one value per key of the three tables."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Callable

from servers.redis import RedisServer

from asynq.stores.redis import Redis

from ..database import Database
from .key_value import Values


@contextmanager
def served(database: Database) -> Generator[Callable[[], Values], None, None]:
    with RedisServer() as server:

        def connect() -> Values:
            return Values(Redis.from_url(server.url))

        with closing(connect()) as values:
            values.fill(database)
        yield connect
