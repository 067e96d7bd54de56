from typing import Any

from typing_extensions import Unpack

from ..loaders.settings import _OfStores
from .key_value import KeyValueStore

__all__ = ["Memcached"]

__traceback_hide__: bool

class Memcached(KeyValueStore):
    # Any, because pymemcache has no usable types: an address, a list of addresses, or a Client,
    # PooledClient or HashClient.
    def __init__(
        self,
        server: Any = "127.0.0.1:11211",
        **settings: Unpack[_OfStores],
    ) -> None: ...
