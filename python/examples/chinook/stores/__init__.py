"""Where the keys can be looked up: a file for each store."""

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
    """How to open the store, once or more, as long as the block runs.

    Raises an `ImportError` if its client library is not installed, and `servers.NotInstalled` if
    its server is not.
    """
    module = importlib.import_module(f"{__name__}.{store}")
    with module.served(database) as open_store:
        yield open_store
