from typing import Any

from typing_extensions import Unpack

from ..loaders.settings import _OfStores
from .key_value import KeyValueStore

__all__ = ["Memcached"]

__traceback_hide__: bool

class Memcached(KeyValueStore):
    # An address or a list of them; a Client, PooledClient or HashClient of pymemcache, which has
    # no types to speak of.
    def __init__(
        self,
        server: Any = "127.0.0.1:11211",
        **settings: Unpack[_OfStores],
    ) -> None: ...
    def begin_anew(self) -> None: ...
