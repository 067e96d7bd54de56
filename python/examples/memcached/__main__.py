"""The command `python -m memcached`: what a cached function sends to the server."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

from asynq import asynq

from . import Client
from .server import Server, running


def main() -> int:
    try:
        with running() as server:
            demo(server)
    except FileNotFoundError:
        print("error: memcached is not installed", file=sys.stderr)
        return 2
    return 0


def demo(server: Server) -> None:
    client = Client(server.address)
    computed = 0

    @client.cached("square")
    @asynq()
    def square(number: int) -> int:
        nonlocal computed
        computed += 1
        return number * number

    @asynq()
    def sum_of_squares(numbers: range) -> Generator[Any, Any, int]:
        squares: list[int] = yield [square.asynq(number) for number in numbers]
        return sum(squares)

    for time in ("first", "again"):
        before, computed = len(server.commands()), 0
        value = sum_of_squares(range(100))
        gets, sets = (
            [command for command in server.commands()[before:] if command.startswith(name)]
            for name in ("get ", "set ")
        )
        keys = sum(len(get.split()) - 1 for get in gets)
        print(
            f"{time}: {value}, {computed} computed, {len(sets)} set, {keys} keys in {len(gets)} get"
        )
    client.close()


if __name__ == "__main__":
    sys.exit(main())
