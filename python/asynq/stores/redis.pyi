from collections.abc import Callable
from typing import Any

import redis
from typing_extensions import Self

from ..decorators import async_proxy
from ..futures import FutureBase
from ..loaders import Flushed
from .key_value import KeyValueStore, Operation

__all__ = ["Redis"]

__traceback_hide__: bool

class Command(Operation): ...

class Redis(KeyValueStore):
    client: redis.Redis | redis.RedisCluster
    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        *,
        name: str = "redis",
        timeout: float | None = None,
        priority: int = 0,
        max_in_flight: int | None = None,
        before_flush: Callable[[list[Operation]], object] | None = None,
        after_flush: Callable[[Flushed], object] | None = None,
    ) -> None: ...
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        timeout: float | None = None,
        name: str = "redis",
        priority: int = 0,
        max_in_flight: int | None = None,
        before_flush: Callable[[list[Operation]], object] | None = None,
        after_flush: Callable[[Flushed], object] | None = None,
    ) -> Self: ...
    @async_proxy()
    def hget(self, key: str | bytes, field: str | bytes | float) -> FutureBase[bytes | None]: ...
    @async_proxy()
    def hset(
        self, key: str | bytes, field: str | bytes | float, value: str | bytes | float
    ) -> FutureBase[int]: ...
    @async_proxy()
    def execute(self, *command: str | bytes | float) -> FutureBase[Any]: ...
