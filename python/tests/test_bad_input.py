"""Bad arguments of decorators and tools raise an error that names the argument and its value."""

import asyncio
from unittest.mock import Mock

import pytest

from asynq import (
    ConstFuture,
    FutureBase,
    FutureIsAlreadyComputed,
    async_generator,
    async_proxy,
    debug,
    get_async_fn,
    is_pure_async_fn,
    list_of_generator,
    make_async_decorator,
    scheduler,
    take_first,
)
from asynq import asynq as async_fn
from asynq.asynq_to_async import AsyncioMode, convert_asynq_to_async
from asynq.decorators import lazy
from asynq.tools import (
    AsyncTimer,
    acached_per_instance,
    afilter,
    afilterfalse,
    alazy_constant,
    alru_cache,
    amap,
    amax,
    amin,
    aretry,
    asift,
    asorted,
    call_with_context,
    deduplicate,
)


@async_fn()
def double(x):
    yield None
    return 2 * x


def plain(x):
    return x


# A function that is not asynchronous


@pytest.mark.parametrize("elements", [[1, 2], []], ids=repr)
@pytest.mark.parametrize("tool", [amap, afilter, afilterfalse, asift])
@pytest.mark.parametrize("function", [plain, 7], ids=["plain", "int"])
def test_a_tool_for_sequences_needs_an_async_function(tool, function, elements):
    with pytest.raises(TypeError, match="must be an async function, got"):
        tool(function, elements)


@pytest.mark.parametrize("elements", [[1, 2], []], ids=repr)
@pytest.mark.parametrize("tool", [asorted, amax, amin])
def test_a_key_is_an_async_function(tool, elements):
    with pytest.raises(TypeError, match=r"the key of \w+\(\) must be an async function, got"):
        tool(elements, key=plain)


def test_a_call_in_a_context_needs_an_async_function():
    with pytest.raises(TypeError, match=r"call_with_context\(\) must be an async function, got"):
        call_with_context(AsyncTimer(), plain, 1)


@pytest.mark.parametrize("function", [plain, 7], ids=["plain", "int"])
@pytest.mark.parametrize(
    "decorator",
    [acached_per_instance(), alru_cache(), alazy_constant(), aretry(KeyError), deduplicate()],
    ids=["acached_per_instance", "alru_cache", "alazy_constant", "aretry", "deduplicate"],
)
def test_a_decorator_of_async_functions_refuses_others(decorator, function):
    with pytest.raises(TypeError, match=r"must be an async function, got .*: decorate it"):
        decorator(function)


@pytest.mark.parametrize(
    "decorator",
    [
        async_fn(),
        async_fn(pure=True),
        async_proxy(),
        async_generator(),
        lazy,
        lambda fn: make_async_decorator(fn, plain, "name"),
        lambda fn: make_async_decorator(double, fn, "name"),
        lambda fn: get_async_fn(fn, wrap_if_none=True),
        convert_asynq_to_async,
    ],
    ids=range(9),
)
def test_a_decorator_of_functions_refuses_what_is_no_function(decorator):
    with pytest.raises(TypeError, match="must be a function, got 7"):
        decorator(7)


# Options of decorators


@pytest.mark.parametrize("decorator", [alru_cache, alazy_constant, aretry, deduplicate])
def test_a_decorator_with_options_needs_parentheses(decorator):
    with pytest.raises(TypeError, match=f"@{decorator.__name__} needs parentheses"):
        decorator(double)


@pytest.mark.parametrize(
    ("decorator", "options", "error", "message"),
    [
        (
            async_fn,
            {"cls": int},
            TypeError,
            "cls must be a subclass of AsyncTask, got int",
        ),
        (async_fn, {"cls": 7}, TypeError, "cls must be a subclass of AsyncTask, got 7"),
        (async_fn, {"pure": "pure"}, TypeError, "pure must be True or False, got 'pure'"),
        (async_fn, {"allow_sync_call": 1}, TypeError, "allow_sync_call must be True or False, got"),
        (async_proxy, {"pure": 1}, TypeError, "pure must be True or False, got 1"),
        (async_proxy, {"allow_sync_call": 1}, TypeError, "allow_sync_call must be True or False"),
        (async_fn, {"sync_fn": 7}, TypeError, "sync_fn must be a function, got 7"),
        (async_fn, {"asyncio_fn": 7}, TypeError, "asyncio_fn must be a function, got 7"),
        (async_proxy, {"sync_fn": 7}, TypeError, "sync_fn must be a function, got 7"),
        (async_proxy, {"asyncio_fn": 7}, TypeError, "asyncio_fn must be a function, got 7"),
        (alru_cache, {"maxsize": "5"}, TypeError, "maxsize must be an int, got '5'"),
        (alru_cache, {"maxsize": True}, TypeError, "maxsize must be an int, got True"),
        (alru_cache, {"maxsize": 0}, ValueError, "maxsize must be 1 or more, got 0"),
        (alru_cache, {"key_fn": 7}, TypeError, "key_fn must be a function, got 7"),
        (alazy_constant, {"ttl": "5"}, TypeError, "ttl must be a number of microseconds, got '5'"),
        (alazy_constant, {"ttl": -1}, ValueError, "ttl must be a non-negative number"),
        (aretry, {"exception_cls": 7}, TypeError, "exception_cls must be an exception class"),
        (aretry, {"exception_cls": (KeyError, int)}, TypeError, "or a tuple of them, got int"),
        (aretry, {"exception_cls": KeyError, "max_tries": "3"}, TypeError, "max_tries must be an"),
        (aretry, {"exception_cls": KeyError, "sleep": "1"}, TypeError, "sleep must be a number"),
        (aretry, {"exception_cls": KeyError, "sleep": -1}, ValueError, "sleep must be a non-neg"),
        (aretry, {"exception_cls": KeyError, "sleep": float("nan")}, ValueError, "got nan"),
        (deduplicate, {"keygetter": 7}, TypeError, "keygetter must be a function, got 7"),
    ],
)
def test_an_option_of_another_type_is_refused_where_it_is_given(decorator, options, error, message):
    with pytest.raises(error, match=message):
        decorator(**options)


def test_the_wrapper_of_a_made_decorator_returns_a_future():
    decorated = make_async_decorator(double, plain, "doubled")
    with pytest.raises(TypeError, match=r"the wrapper of @doubled\(\) must return a future, got 1"):
        decorated(1)


def test_a_proxy_returns_a_future():
    proxy = async_proxy()(plain)
    with pytest.raises(TypeError, match=r"^plain must return a future, got 1: return a task"):
        proxy(1)


def test_a_proxy_may_return_any_object_with_a_value():
    class Known:
        def value(self):
            return 7

    assert async_proxy()(Known)() == 7


def test_a_deduplicated_proxy_returns_a_future():
    with pytest.raises(TypeError, match="must return a future, got 1"):
        deduplicate()(async_proxy()(plain)).asynq(1)


# Functions inside functions without an end


class Endless:
    """A function whose attribute `fn` is the function itself."""

    asynq = double.asynq

    @property
    def fn(self):
        return self


def test_an_endless_function_is_not_pure():
    assert not is_pure_async_fn(Endless())


@pytest.mark.parametrize("fn", [Endless(), Mock()], ids=["endless", "mock"])
def test_an_endless_function_has_no_key(fn):
    with pytest.raises(TypeError, match="cannot find the function inside"):
        alru_cache()(fn)


def test_a_synchronous_call_of_an_endless_function_in_asyncio_mode_is_an_error():
    class EndlessPlain:
        fn = property(lambda self: self)

        def __call__(self):
            return 1

    decorated = async_fn()(EndlessPlain())
    with AsyncioMode(), pytest.raises(RuntimeError, match="does not support synchronous calls"):
        decorated()


# Generators


def test_an_async_generator_is_a_generator_function():
    with pytest.raises(TypeError, match=r"needs a generator function, but .* returned 1"):
        async_generator()(plain)(1)


@pytest.mark.parametrize("n", ["1", 1.5], ids=repr)
def test_the_number_of_values_to_take_is_an_int(n):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        take_first([ConstFuture(1)], n)


def test_a_generator_yields_futures():
    with pytest.raises(TypeError, match="only futures and None are allowed"):
        list_of_generator([5])


# asyncio mode


def test_a_dict_that_changes_while_its_values_are_awaited():
    async def fetch(key):
        futures["late"] = None
        return key.upper()

    futures = {}

    @async_fn()
    def main():
        futures["a"] = fetch("a")
        return (yield futures)

    assert asyncio.run(main.asyncio()) == {"a": "A"}


@pytest.mark.parametrize("make", [list, dict])
def test_a_container_that_contains_itself_cannot_be_awaited(make):
    @async_fn()
    def main():
        container = make()
        if make is list:
            container.append((container,))
        else:
            container["self"] = [container]
        yield container

    with pytest.raises(RecursionError, match="nested too deeply"):
        asyncio.run(main.asyncio())


# Futures


def test_the_error_about_a_future_that_is_pending_has_its_arguments():
    future = FutureBase()
    assert str(FutureIsAlreadyComputed(future)) == repr(future)


# Debugging


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: debug.dump_stack("x"), TypeError, "skip must be an int, got 'x'"),
        (lambda: debug.dump_stack(-1), ValueError, "skip must be 0 or more, got -1"),
        (lambda: debug.write(7), TypeError, "needs a str, got 7"),
    ],
    ids=range(3),
)
def test_an_argument_of_a_debugging_function_of_another_type_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_scheduler_may_be_reset_by_a_task():
    @async_fn()
    def main():
        scheduler.reset()
        return (yield double.asynq(1))

    assert main() == 2
