"""Tools, mocks and debugging."""
# pyright: strict

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Any, NoReturn, Optional
from unittest.mock import MagicMock, NonCallableMock

from typing_extensions import assert_type

from asynq import (
    AsyncTask,
    asynq,
    debug,
    get_scheduler,
    mock,
    profiler,
    result,
    tools,
)
from asynq.mock import patch


@asynq()
def plain(x: int, *, name: str = "") -> str:
    return name * x


@asynq()
def length(text: str) -> int:
    return len(text)


@asynq()
def handler(x: int) -> None:
    pass


def synchronous_handler(x: int) -> None:
    pass


# Tools


@asynq()
def is_long(text: str) -> bool:
    return len(text) > 1


class Lengths:
    @asynq()
    def of(self, text: str) -> int:
        return len(text)


def tools_keep_the_types_of_elements() -> None:
    words = ["a", "bb"]
    assert_type(tools.amap(length, words), list[int])
    assert_type(tools.amap.asynq(Lengths().of, iter(words)), AsyncTask[list[int]])
    assert_type(asyncio.run(tools.amap.asyncio(is_long, words)), list[bool])
    assert_type(tools.afilter(is_long, words), list[str])
    assert_type(tools.afilter(None, words), list[str])
    assert_type(tools.afilterfalse.asynq(is_long, words), AsyncTask[list[str]])
    assert_type(tools.asift(is_long, words), tuple[list[str], list[str]])
    assert_type(tools.asorted(words, key=length, reverse=True), list[str])
    assert_type(tools.asorted(words), list[str])
    assert_type(tools.amax(words, key=length), str)
    assert_type(tools.amin(*words, key=length), str)
    assert_type(tools.amin(words[0], words[1], key=length), str)
    assert_type(tools.amin.asynq([1, 2]), AsyncTask[int])
    assert_type(tools.call_with_context(tools.AsyncTimer(), plain, 1, name="a"), str)
    assert_type(
        tools.call_with_context.asynq(contextlib.nullcontext(), is_long, "a"), AsyncTask[bool]
    )


@tools.alru_cache(maxsize=10)
@asynq()
def cached(x: int, *, name: str = "") -> str:
    return name * x


@tools.alru_cache(key_fn=lambda args, kwargs: args[0])
@asynq()
def cached_by_key(x: int) -> str:
    return "a"


@tools.aretry((KeyError, ValueError), max_tries=2, sleep=0)
@asynq()
def retried(x: int) -> Generator[Any, Any, str]:
    yield
    return "a"


@tools.deduplicate()
@asynq()
def deduplicated(x: int) -> str:
    return "a"


@tools.alazy_constant(ttl=1)
@asynq()
def constant() -> str:
    return "a"


class Account:
    @tools.acached_per_instance()
    @asynq()
    def balance(self, currency: str = "EUR") -> int:
        return 1

    @tools.deduplicate()
    @asynq()
    def owner(self, x: int) -> str:
        return "a"


def caching_keeps_the_signature() -> None:
    assert_type(cached(1, name="a"), str)
    assert_type(cached.asynq(1, name="a"), AsyncTask[str])
    assert_type(cached_by_key(1), str)
    assert_type(retried.asynq(x=1), AsyncTask[str])
    assert_type(deduplicated.asynq(1), AsyncTask[str])
    deduplicated.dirty(1)
    assert_type(constant(), str)
    constant.dirty()
    assert_type(Account().balance(), int)
    assert_type(Account().balance.asynq(currency="USD"), AsyncTask[int])
    assert_type(Account().owner(1), str)
    Account().owner.dirty(x=1)


def event_hooks_are_triggered() -> None:
    hook = tools.AsyncEventHook([handler])
    hook.subscribe(synchronous_handler)
    hook.trigger(1)
    assert_type(hook.safe_trigger.asynq(1), AsyncTask[None])


# Mocks


@mock.patch.object(tools, "utime")
def replaces_by_decorator(utime: MagicMock) -> str:
    utime.return_value = 1
    return "a"


def mocks_have_types() -> None:
    with mock.patch("asynq.tools.utime") as mocked:
        assert_type(mocked, MagicMock)
        assert mocked.call_count == 0
    with mock.patch.object(tools, "utime", synchronous_handler):
        pass
    with mock.patch("asynq.tools.utime", new_callable=NonCallableMock) as made:
        assert_type(made, NonCallableMock)
    with patch("asynq.tools.utime", 1) as one:
        assert_type(one, int)
    with mock.patch.dict({}, {"a": 1}):
        pass
    assert_type(replaces_by_decorator(), str)


# Debugging


def debugging_has_types() -> None:
    assert_type(debug.format_error(ValueError()), str)
    assert_type(debug.format_error(None), None)
    assert_type(debug.format_asynq_stack(), Optional[list[str]])
    assert_type(debug.DUMP_ALL(), bool)
    debug.DUMP_ALL(False)
    debug.options.COLLECT_PERF_STATS = False
    with debug.enable_complex_assertions(False), debug.disable_complex_assertions():
        pass
    scheduler = get_scheduler()
    scheduler.on_before_batch_flush.subscribe(print)
    scheduler.on_before_batch_flush.unsubscribe(print)
    assert_type(scheduler.active_task, Optional[AsyncTask[Any]])
    for row in profiler.flush():
        print(row["name"])


def never_returns() -> NoReturn:
    result(1)
