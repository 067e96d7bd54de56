from typing import Any

import redis
from typing_extensions import Self, Unpack

from ..decorators import async_proxy
from ..futures import FutureBase
from ..loaders.settings import _OfStores
from .key_value import KeyValueStore, Operation

__all__ = ["Redis"]

__traceback_hide__: bool

class Command(Operation): ...

class Redis(KeyValueStore):
    client: redis.Redis | redis.RedisCluster
    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        **settings: Unpack[_OfStores],
    ) -> None: ...
    @classmethod
    def from_url(
        cls,
        url: str,
        **settings: Unpack[_OfStores],
    ) -> Self: ...
    @async_proxy()
    def hget(self, key: str | bytes, field: str | bytes | float) -> FutureBase[bytes | None]: ...
    @async_proxy()
    def hset(
        self, key: str | bytes, field: str | bytes | float, value: str | bytes | float
    ) -> FutureBase[int]: ...
    @async_proxy()
    def execute(self, *command: str | bytes | float) -> FutureBase[Any]: ...
