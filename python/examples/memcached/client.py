"""The client: one key each, as if there were no other."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from pymemcache import PooledClient
from pymemcache.serde import pickle_serde

from asynq import FutureBase, async_proxy, asynq

from .requests import Item, Requests

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from asynq.decorators import AsyncDecorator

    P = ParamSpec("P")
T = TypeVar("T")


class Client:
    """A memcached server, for any picklable values.

        client = Client(("127.0.0.1", 11211))

        @client.cached("user")
        @asynq()
        def user(id): ...

    Each function is about one key; what many tasks ask for in a round is one request. Of a set and
    a get of one key in the same round, either may come first.
    """

    def __init__(self, server: tuple[str, int], expire: int = 0) -> None:
        """`expire` is how many seconds the server keeps a value; 0 is for ever."""
        self._server = PooledClient(server, serde=pickle_serde)
        self._expire = expire
        self._gets = Requests(self._send_gets)
        self._sets = Requests(self._send_sets)
        self._deletes = Requests(self._send_deletes)

    @async_proxy()
    def get(self, key: str) -> FutureBase[Any]:
        """The value of the key, or None."""
        return self._gets.item(key)

    @async_proxy()
    def set(self, key: str, value: Any) -> FutureBase[None]:
        """Sets the value of the key, whatever it was."""
        return self._sets.item(key, value)

    @async_proxy()
    def delete(self, key: str) -> FutureBase[None]:
        """Forgets the value of the key, if there is one."""
        return self._deletes.item(key)

    def cached(self, key_prefix: str) -> Callable[[AsyncDecorator[T, P]], AsyncDecorator[T, P]]:
        """A decorator: what the function has returned for some arguments is kept on the server.

        The prefix tells the functions of a server apart. The arguments are told apart by their
        `repr`, which has to show what matters of them, and nothing else.
        """

        def decorate(function: AsyncDecorator[T, P]) -> AsyncDecorator[T, P]:
            @asynq()
            @functools.wraps(function.fn)
            def read_through(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, T]:
                key = _key(key_prefix, args, kwargs)
                found = yield self.get.asynq(key)
                if found is None:
                    # In a tuple, for a function may well return None.
                    found = ((yield function.asynq(*args, **kwargs)),)
                    yield self.set.asynq(key, found)
                (value,) = found
                return value  # type: ignore[no-any-return]

            return read_through

        return decorate

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self._server.close()

    def _send_gets(self, items: list[Item]) -> None:
        values = self._server.get_many(dict.fromkeys(item.key for item in items))
        for item in items:
            item.set_value(values.get(item.key))

    def _send_sets(self, items: list[Item]) -> None:
        values = {item.key: item.to_store for item in items}
        self._server.set_many(values, self._expire, noreply=False)
        for item in items:
            item.set_value(None)

    def _send_deletes(self, items: list[Item]) -> None:
        self._server.delete_many(dict.fromkeys(item.key for item in items), noreply=False)
        for item in items:
            item.set_value(None)


def _key(prefix: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """A key that memcached takes, whatever the arguments: no spaces, and not too long."""
    arguments = repr((args, sorted(kwargs.items())))
    return f"{prefix}:{hashlib.sha256(arguments.encode()).hexdigest()}"
