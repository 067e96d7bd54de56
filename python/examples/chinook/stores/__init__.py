"""The stores of the demo, one per file."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Callable

from ..database import Database
from ..lookup import Store

STORES = ("sqlite", "memory", "postgres", "redis", "memcached")


@contextmanager
def served(store: str, database: Database) -> Generator[Callable[[], Store], None, None]:
    """Starts the server of a store for a block. Yields a function that opens the store.

    Raises `ImportError` if the client library is not installed, and `servers.NotInstalled` if the
    server is not installed.
    """
    module = importlib.import_module(f"{__name__}.{store}")
    with module.served(database) as open_store:
        yield open_store
