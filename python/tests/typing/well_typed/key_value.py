"""Key-value stores, which are created but not used, since there is no server."""

from __future__ import annotations

from typing import Any, Optional

from typing_extensions import assert_type

from asynq import FutureBase, asynq
from asynq.stores.key_value import KeyValueStore
from asynq.stores.memcached import Memcached
from asynq.stores.redis import Redis


def stores_have_the_types_of_what_is_done() -> None:
    def uses(redis: Redis, memcached: Memcached) -> None:
        assert_type(redis.get("key"), "bytes | None")
        assert_type(redis.set.asynq("key", 1, ttl=1.5), FutureBase[None])
        assert_type(memcached.delete("key"), bool)
        assert_type(redis.hget.asynq("key", "field"), FutureBase[Optional[bytes]])
        assert_type(redis.execute("INCR", "key"), Any)

    assert callable(uses)


def a_cached_function_has_the_types_of_the_function() -> None:
    def uses(store: KeyValueStore) -> None:
        @store.cached("square", ttl=60)
        @asynq()
        def square(number: int) -> int:
            return number * number

        assert_type(square(3), int)
        assert_type(square.asynq(number=3).value(), int)

    uses(Memcached(timeout=1))
    uses(Redis.from_url("redis://127.0.0.1", timeout=1))
