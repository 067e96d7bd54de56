"""Prints the requests that a cached function sends to a memcached server."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing
from typing import Any

from servers import NotInstalled
from servers.memcached import MemcachedServer

from asynq import asynq
from asynq.stores.memcached import Memcached


def main() -> int:
    try:
        with MemcachedServer() as server:
            demo(server)
    except NotInstalled as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def demo(server: MemcachedServer) -> None:
    store = Memcached(server.address)
    computed = 0

    @store.cached("square", ttl=300)
    @asynq()
    def square(number: int) -> int:
        nonlocal computed
        computed += 1
        return number * number

    @asynq()
    def sum_of_squares(numbers: range) -> Generator[Any, Any, int]:
        squares: list[int] = yield [square.asynq(number) for number in numbers]
        return sum(squares)

    with closing(store):
        for time in ("first", "again"):
            gets, sets, computed = len(server.commands("get")), len(server.commands("set")), 0
            value = sum_of_squares(range(100))
            gets_now = server.commands("get")[gets:]
            sets_now = server.commands("set")[sets:]
            keys = sum(len(get.split()) - 1 for get in gets_now)
            print(
                f"{time}: {value}, {computed} computed, {len(sets_now)} set,"
                f" {keys} keys in {len(gets_now)} get"
            )


if __name__ == "__main__":
    sys.exit(main())
