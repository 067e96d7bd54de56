from collections.abc import Callable
from typing import Any

from ..loaders import Flushed
from .key_value import KeyValueStore, Operation

__all__ = ["Memcached"]

__traceback_hide__: bool

class Memcached(KeyValueStore):
    # An address or a list of them; a Client, PooledClient or HashClient of pymemcache, which has
    # no types to speak of.
    def __init__(
        self,
        server: Any = "127.0.0.1:11211",
        *,
        name: str = "memcached",
        timeout: float | None = None,
        priority: int = 0,
        max_in_flight: int | None = None,
        before_flush: Callable[[list[Operation]], object] | None = None,
        after_flush: Callable[[Flushed], object] | None = None,
    ) -> None: ...
