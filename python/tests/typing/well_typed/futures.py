"""Futures, batches, contexts and generators."""
# pyright: strict

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Optional

from typing_extensions import assert_type

from asynq import (
    AsyncContext,
    AsyncScopedValue,
    AsyncTask,
    BatchBase,
    BatchItemBase,
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    NonAsyncContext,
    Value,
    async_generator,
    async_override,
    asynq,
    debug,
    list_of_generator,
    none_future,
    take_first,
    tools,
)
from asynq.batching import DebugBatchItem, sync


@asynq()
def plain(x: int) -> str:
    return "a" * x


# Futures


class Remote(FutureBase[int]):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def _compute(self) -> None:
        self.set_value(len(self.address))


def futures_have_values() -> None:
    assert_type(ConstFuture(1), ConstFuture[int])
    assert_type(ConstFuture(1).value(), int)
    assert_type(Future(lambda: "a").value(), str)
    assert_type(Remote("a")(), int)
    assert_type(none_future.value(), None)
    assert_type(ConstFuture(1).error(), Optional[BaseException])
    assert_type(plain.asynq(1).is_computed(), bool)


def futures_of_less_are_futures_of_more() -> None:
    number: FutureBase[int | None] = ConstFuture(1)
    failed: FutureBase[int] = ErrorFuture(ValueError())
    anything: list[FutureBase[object]] = [number, failed, plain.asynq(1)]
    assert len(anything) == 3


def computed_futures_tell(future: FutureBase[Any]) -> None:
    print(future.value())


def futures_are_observed() -> None:
    future = Future(lambda: 1)
    future.on_computed.subscribe(computed_futures_tell)
    future.on_computed.unsubscribe(computed_futures_tell)
    future.on_computed.trigger(future)


# Batches


class Requests(BatchBase["Request"]):
    open: Requests

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def _try_switch_active_batch(self) -> None:
        if Requests.open is self:
            Requests.open = Requests(self.address)

    def _flush(self) -> None:
        for item in self.items:
            assert_type(item, Request)
            item.set_value(self.address + item.key)

    def _cancel(self) -> None:
        self.address = ""

    def get_priority(self) -> tuple[float, int, int]:
        return (0.5, *super().get_priority())


class Request(BatchItemBase[str]):
    def __init__(self, key: str) -> None:
        super().__init__(Requests.open)
        self.key = key


class UntypedBatch(BatchBase):
    def _try_switch_active_batch(self) -> None:
        pass

    def _flush(self) -> None:
        for item in self.items:
            item.set_value(1)


class UntypedItem(BatchItemBase):
    pass


def batches_know_their_items() -> None:
    Requests.open = Requests("a")
    request = Request("b")
    assert_type(request.value(), str)
    assert_type(request.index, int)
    assert_type(Requests.open.items, list[Request])
    assert_type(Requests.open.get_priority(), tuple[float, int, int])
    Requests.open.cancel(ValueError())
    item = UntypedItem(UntypedBatch())
    item.batch.flush()
    assert_type(DebugBatchItem(result=1).value(), int)
    assert_type(DebugBatchItem("name", "a").value(), str)
    assert_type(DebugBatchItem().value(), None)
    assert_type(sync(), DebugBatchItem[None])


# Contexts


class Tracing(AsyncContext):
    def __init__(self, name: str) -> None:
        self.name = name

    def resume(self) -> None:
        pass

    def pause(self) -> None:
        pass


class Locked(NonAsyncContext):
    pass


user = AsyncScopedValue("nobody")


def contexts_are_entered() -> None:
    with Tracing("a") as tracing:
        assert_type(tracing, Tracing)
    with Locked() as nothing:
        assert_type(nothing, None)
    with user.override("ann"):
        assert_type(user.get(), str)
        assert_type(user(), str)
        user.set("bob")
    with async_override(debug.options, "STACK_DUMP_LIMIT", 3), tools.AsyncTimer() as timer:
        pass
    assert_type(timer.total_time, int)


# Generators


@async_generator()
def numbers(n: int) -> Generator[FutureBase[str] | Value[int], Any, None]:
    for i in range(n):
        yield plain.asynq(i)
        yield Value(i)


@async_generator()
def untyped_numbers(n: int) -> Iterator[Any]:
    yield Value(n)


def generators_have_values() -> None:
    assert_type(list_of_generator(numbers(3)), list[int])
    assert_type(take_first.asynq(numbers(n=3), 2), AsyncTask[list[int]])
    assert_type(list_of_generator(untyped_numbers(3)), list[Any])
    for future in numbers(1):
        assert_type(future, FutureBase[int])
        future.value()
    sent = numbers(1)
    assert_type(sent.send.asynq(None), FutureBase[int])
