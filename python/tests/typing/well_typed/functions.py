"""Functions and methods, and decorators that make them asynchronous."""
# pyright: strict

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Optional, TypeVar

from typing_extensions import ParamSpec, assert_type

from asynq import (
    AsyncTask,
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    async_call,
    async_proxy,
    asynq,
    get_async_fn,
    make_async_decorator,
    none_future,
)
from asynq.decorators import AsyncDecorator, AsyncWrapper, lazy

P = ParamSpec("P")
T = TypeVar("T")


# Functions


@asynq()
def generator(x: int, *, name: str = "") -> Generator[Any, Any, str]:
    yield None
    return name * x


@asynq()
def plain(x: int, *, name: str = "") -> str:
    return name * x


def the_three_forms_of_a_call() -> None:
    assert_type(generator(1, name="a"), str)
    assert_type(generator.asynq(1, name="a"), AsyncTask[str])
    assert_type(plain(1, name="a"), str)
    assert_type(plain.asynq(x=1), AsyncTask[str])
    coroutine = assert_type(plain.asyncio(1, name="a"), Coroutine[Any, Any, str])
    assert_type(asyncio.run(coroutine), str)
    assert_type(asyncio.run(generator.asyncio(1)), str)


def decorated_functions_can_be_passed_on() -> None:
    decorated: AsyncDecorator[str, ...] = plain
    function: Callable[[int], str] = plain
    assert decorated(1) == function(1)


@asynq()
def gives_none(x: int) -> None:
    pass


@asynq()
def gives_an_optional(x: int) -> Generator[Any, Any, int | None]:
    yield
    return x


@asynq()
def first(xs: list[T]) -> T:
    return xs[0]


@asynq()
def first_or_none(xs: list[T]) -> Generator[Any, Any, T | None]:
    yield
    return xs[0] if xs else None


@asynq()
def positional_and_named(*args: int, **kwargs: str) -> bool:
    return True


def values_may_be_anything() -> None:
    assert_type(gives_none.asynq(1), AsyncTask[None])
    assert_type(gives_an_optional(1), Optional[int])
    assert_type(positional_and_named.asynq(1, 2, name="a"), AsyncTask[bool])


def functions_may_be_generic() -> None:
    assert_type(first([1]), int)
    assert_type(first.asynq(["a"]), AsyncTask[str])
    assert_type(first_or_none([1]), Optional[int])


# Methods


class Methods:
    @asynq()
    def method(self, x: int) -> Generator[Any, Any, str]:
        yield self.plain_method.asynq(x)
        return "a"

    @asynq()
    def plain_method(self, x: int) -> list[int]:
        return [x]

    @asynq()
    @classmethod
    def class_method(cls, x: int) -> Generator[Any, Any, str]:
        yield
        return cls.__name__

    @asynq()
    @staticmethod
    def static_method(x: int) -> Generator[Any, Any, str]:
        yield
        return "a"

    @asynq(pure=True)
    def pure_method(self, x: int) -> str:
        return "a"

    @async_proxy()
    def proxy(self, x: int) -> FutureBase[str]:
        return self.method.asynq(x)


class Inherited(Methods):
    # Pyright has variables and their overrides have the same type, and here `self` has another.
    @asynq()
    def method(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, x: int
    ) -> Generator[Any, Any, str]:
        value: str = yield super().method.asynq(x)
        return value


def methods_are_bound() -> None:
    methods = Methods()
    assert_type(methods.method(1), str)
    assert_type(methods.method.asynq(x=1), AsyncTask[str])
    assert_type(asyncio.run(methods.plain_method.asyncio(1)), list[int])
    assert_type(methods.pure_method(1), AsyncTask[str])
    assert_type(methods.proxy(1), str)
    assert_type(methods.proxy.asynq(1), FutureBase[str])
    assert_type(Inherited().method(1), str)
    assert_type(Inherited().plain_method.asynq(1), AsyncTask[list[int]])


def methods_can_be_taken_from_the_class() -> None:
    assert_type(Methods.method(Methods(), 1), str)
    assert_type(Methods.plain_method.asynq(Inherited(), x=1), AsyncTask[list[int]])
    assert_type(Methods.proxy.asynq(Methods(), 1), FutureBase[str])


def class_methods_are_bound_to_the_class() -> None:
    assert_type(Methods.class_method(1), str)
    assert_type(Inherited.class_method.asynq(1), AsyncTask[str])
    assert_type(Methods().class_method.asynq(x=1), AsyncTask[str])


def static_methods_are_not_bound() -> None:
    assert_type(Methods.static_method(1), str)
    assert_type(Methods().static_method.asynq(1), AsyncTask[str])


# Arguments of `asynq` and `async_proxy`


def fetch_synchronously(x: int) -> str:
    return "a"


async def fetch_on_the_event_loop(x: int) -> str:
    return "a"


class TracedTask(AsyncTask[T]):
    pass


@asynq(sync_fn=fetch_synchronously, asyncio_fn=fetch_on_the_event_loop, cls=TracedTask)
def fetch(x: int) -> Generator[Any, Any, str]:
    yield
    return "a"


@asynq(pure=True)
def pure_generator(x: int) -> Generator[Any, Any, str]:
    yield
    return "a"


@async_proxy()
def proxied(x: int) -> FutureBase[str | None]:
    if x < 0:
        return ErrorFuture(ValueError(x))
    return plain.asynq(x) if x else none_future


@async_proxy(sync_fn=fetch_synchronously, allow_sync_call=True)
def paired_proxy(x: int) -> FutureBase[str]:
    return fetch.asynq(x)


@async_proxy(pure=True)
def left_alone(x: int) -> FutureBase[str]:
    return ConstFuture("a")


@lazy
def lazily(x: int) -> str:
    return "a"


def the_kinds_of_functions() -> None:
    assert_type(fetch(1), str)
    assert_type(fetch.asynq(1), AsyncTask[str])
    assert_type(pure_generator(x=1), AsyncTask[str])
    assert_type(asyncio.run(pure_generator.asyncio(1)), str)
    assert_type(proxied(1), Optional[str])
    assert_type(proxied.asynq(1), FutureBase[Optional[str]])
    assert_type(paired_proxy.asynq(1), FutureBase[str])
    assert_type(left_alone(1), FutureBase[str])
    assert_type(lazily(1), Future[str])
    task_cls = fetch.task_cls
    assert task_cls is TracedTask


def doubled(fn: AsyncDecorator[int, P]) -> AsyncWrapper[int, P]:
    @asynq(pure=True)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, int]:
        value: int = yield fn.asynq(*args, **kwargs)
        return 2 * value

    return make_async_decorator(fn, wrapper, "doubled")


@doubled
@asynq()
def length(text: str) -> int:
    return len(text)


class Measured:
    @doubled
    @asynq()
    def length(self, text: str) -> int:
        return len(text)


def decorators_made_of_functions() -> None:
    assert_type(length("a"), int)
    assert_type(length.asynq(text="a"), FutureBase[int])
    assert_type(Measured().length("a"), int)
    assert_type(Measured().length.asynq("a"), FutureBase[int])


def logged(fn: Callable[P, Generator[Any, Any, T]]) -> AsyncDecorator[T, P]:
    """A user-defined decorator on top of `asynq()`."""
    return asynq()(fn)


@logged
def logged_function(x: int) -> Generator[Any, Any, str]:
    yield
    return "a"


def own_decorators_keep_the_types() -> None:
    assert_type(logged_function.asynq(x=1), AsyncTask[str])


def either_kind_of_function_can_be_called() -> None:
    assert_type(async_call(plain, 1, name="a"), str)
    assert_type(async_call(pure_generator, 1), str)
    assert_type(async_call(fetch_synchronously, 1), str)
    assert_type(async_call.asynq(plain, 1), FutureBase[str])
    assert_type(async_call.asynq(Methods().method, 1), FutureBase[str])
    assert_type(async_call.asynq(fetch_synchronously, x=1), FutureBase[str])
    assert_type(get_async_fn(plain)(1), FutureBase[str])
    assert_type(get_async_fn(pure_generator)(1), FutureBase[str])
    assert_type(get_async_fn(fetch_synchronously, wrap_if_none=True)(1), FutureBase[str])
