"""Loaders of every kind, and the types of their values."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextvars import ContextVar
from operator import attrgetter
from typing import Any

from typing_extensions import assert_type

import asynq
import asynq.middleware
from asynq.loaders import Flushed, Group, Loader, Lru, Stats


@asynq.loader
def by_key(ids: list[int]) -> dict[int, str]:
    return {id: str(id) for id in ids}


@asynq.loader(max_batch_size=500, cache=Lru(100, ttl=60))
def in_order(ids: Sequence[int]) -> list[str]:
    return [str(id) for id in ids]


@asynq.loader
async def later(ids: list[int]) -> dict[int, str]:
    await asyncio.sleep(0)
    return {id: str(id) for id in ids}


@asynq.loader(default=None)
def or_none(ids: list[int]) -> dict[int, str]:
    return {}


def no_ids() -> list[int]:
    return []


@asynq.loader(default_factory=no_ids)
def or_list(ids: list[int]) -> dict[int, list[int]]:
    return {}


@asynq.loader
def or_error(ids: list[int]) -> Mapping[int, str | Exception]:
    return {id: str(id) if id > 0 else KeyError(id) for id in ids}


@asynq.loader
@asynq.asynq()
def of_ours(ids: list[int]) -> Generator[Any, Any, list[str]]:
    names: list[str] = yield [by_key.asynq(id) for id in ids]
    return names


@asynq.asynq()
def joined(ids: list[int]) -> Generator[Any, Any, str]:
    names: list[str] = yield by_key.load_many.asynq(ids)
    return ", ".join(names)


class Request:
    @asynq.loader(cache=True)
    def name(self, ids: list[int]) -> dict[int, str]:
        return {id: f"{id} of {type(self).__name__}" for id in ids}


def loaders_give_values() -> None:
    assert_type(by_key(7), str)
    assert_type(in_order(7), str)
    assert_type(later(7), str)
    assert_type(or_none(7), "str | None")
    assert_type(or_error(7), str)
    assert_type(or_list(7), "list[int]")
    assert_type(of_ours(7), str)
    assert_type(Request().name(7), str)
    assert_type(by_key.load_many([1, 2]), "list[str]")
    squares: Loader[int, int] = Loader(lambda ids: [id * id for id in ids], name="squares")
    assert_type(squares(7), int)


def loaders_are_awaited() -> None:
    async def in_coroutine() -> str:
        return await by_key.asyncio(7)

    assert_type(joined([1, 2]), str)
    assert_type(asyncio.run(in_coroutine()), str)
    assert_type(by_key.asynq(7), "asynq.FutureBase[str]")


def loaders_keep_and_count() -> None:
    def flushed(what: Flushed) -> None:
        assert_type(what.error, "BaseException | None")

    def texts(ids: list[int]) -> list[str]:
        return [str(id) for id in ids]

    kept = asynq.loader(texts, cache=True, after_flush=flushed)
    kept.prime(7, "7")
    with by_key.scope():
        by_key.clear(7)
        by_key.clear_all()
    assert_type(kept.stats, Stats)


class Session:
    def __init__(self) -> None:
        self.group = Group(max_in_flight=1)

    @asynq.loader(group=lambda self: self.group)
    async def user(self, ids: list[int]) -> dict[int, str]:
        return {id: f"user {id}" for id in ids}

    @asynq.loader(group=attrgetter("group"), cache=True)
    def post(self, ids: list[int]) -> dict[int, str]:
        return {id: f"post {id}" for id in ids}


def loaders_share_a_group() -> None:
    session = Session()
    assert_type(session.group.max_in_flight, "int | None")
    with session.group.scope():
        assert_type(session.user(7), str)
        assert_type(session.post(7), str)
        session.group.clear_all()
    shared: Loader[int, int] = Loader(lambda ids: [id * id for id in ids], group=session.group)
    assert_type(shared(7), int)


tenant = ContextVar("tenant", default="nobody")
role = asynq.AsyncScopedValue("reader")


@asynq.loader(per=tenant)
def of_tenant(ids: list[int]) -> list[str]:
    return [f"{id} of {tenant.get()}" for id in ids]


@asynq.loader(per=(tenant, role, tenant.get), across_requests=True)
async def of_several(ids: list[int]) -> list[str]:
    return [f"{id} of {tenant.get()}" for id in ids]


def loaders_depend_on_values() -> None:
    assert_type(of_tenant(7), str)
    assert_type(of_several(7), str)


def requests_are_isolated() -> None:
    with asynq.request() as request:
        assert_type(request, asynq.request)
        assert_type(asynq.request.current(), "asynq.request | None")
        assert_type(by_key(7), str)
        request.clear()


async def handle() -> str:
    async with asynq.request():
        return await by_key.asyncio(7)


def requests_are_isolated_on_event_loops() -> None:
    assert_type(asyncio.run(handle()), str)
    assert asynq.middleware.django(lambda request: by_key(request))(7) == "7"
