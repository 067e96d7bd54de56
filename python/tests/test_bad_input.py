"""Bad arguments of the Python modules raise an error that names the argument and its value."""

import asyncio
import re
from unittest.mock import Mock

import pytest

import asynq.loaders
from asynq import (
    AsyncScopedValue,
    ConstFuture,
    FutureBase,
    FutureIsAlreadyComputed,
    Loader,
    async_generator,
    async_override,
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
from asynq.loaders import Lru, set_max_in_flight
from asynq.stores.sqlite import Sqlite
from asynq.tools import (
    AsyncEventHook,
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


# Contexts that are entered twice, or left without being entered


class Settings:
    colour = "red"


OVERRIDES = {
    "value": lambda: (value := AsyncScopedValue("red"), value.get, value.override("blue")),
    "attribute": lambda: (
        owner := Settings(),
        lambda: owner.colour,
        async_override(owner, "colour", "blue"),
    ),
}


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_may_be_entered_inside_itself(make):
    _, get, override = make()
    with override:
        with override:
            assert get() == "blue"
        assert get() == "blue"
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_may_be_entered_inside_itself_by_a_task_that_waits(make):
    _, get, override = make()

    @async_fn()
    def main():
        with override:
            with override:
                yield debug.sync(), other.asynq()
            return get()

    @async_fn()
    def other():
        yield debug.sync("other")
        assert get() in ("red", "blue")

    assert main() == "blue"
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
@pytest.mark.parametrize("leave", ["pause", "__exit__"])
def test_an_override_that_is_not_active_cannot_be_left(make, leave):
    _, get, override = make()
    arguments = (None, None, None) if leave == "__exit__" else ()
    with pytest.raises(RuntimeError, match="is not active"):
        getattr(override, leave)(*arguments)
    assert get() == "red"


@pytest.mark.parametrize("make", OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_that_is_active_is_not_initialized_again(make):
    owner, get, override = make()
    arguments = (owner, "green") if make is OVERRIDES["value"] else (owner, "colour", "green")
    with override, pytest.raises(RuntimeError, match="is active, and cannot be initialized again"):
        override.__init__(*arguments)
    assert get() == "red"


def test_the_name_of_an_overridden_attribute_is_a_str():
    with pytest.raises(TypeError, match="property_name must be a str, got 5"):
        async_override(Settings(), 5, 1)


def test_a_timer_may_be_entered_inside_itself(monkeypatch):
    now = iter([1, 10])
    monkeypatch.setattr("asynq.tools.utime", lambda: next(now))
    with AsyncTimer() as timer, timer:
        pass
    assert timer.total_time == 9


def test_a_timer_that_does_not_run_cannot_be_paused():
    with pytest.raises(RuntimeError, match="the AsyncTimer is not running"):
        AsyncTimer().pause()


def test_asyncio_mode_that_was_not_entered_cannot_be_left():
    with pytest.raises(RuntimeError, match="AsyncioMode is left, but was not entered"):
        AsyncioMode().__exit__(None, None, None)


# Classes that do not call super().__init__()


def test_a_scoped_value_that_is_half_made():
    class Half(AsyncScopedValue):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match=r"Half.__init__\(\) must call super\(\).__init__"):
        Half().get()


def test_a_loader_that_is_half_made():
    class Half(Loader):
        def __init__(self):
            pass

    message = r"Half.__init__\(\) must call super\(\).__init__"
    with pytest.raises(TypeError, match=message):
        Half()(1)
    with pytest.raises(TypeError, match=message):
        asyncio.run(Half().asyncio(1))
    for use in (repr, lambda half: half.clear(1), lambda half: half.stats, Half.scope):
        with pytest.raises(TypeError, match=message):
            use(Half())


def test_an_event_hook_that_is_half_made_has_no_handlers():
    class Half(AsyncEventHook):
        def __init__(self):
            pass

    hook, calls = Half(), []
    hook.subscribe(calls.append)
    hook.trigger(1)
    assert calls == [1]


def test_a_timer_that_is_half_made_measures():
    class Half(AsyncTimer):
        def __init__(self):
            pass

    with Half() as timer:
        pass
    assert timer.total_time >= 0


# Scoped values


def test_a_scoped_value_may_define_equality():
    class Compared(AsyncScopedValue):
        def __eq__(self, other):
            return True

    one, two = Compared(1), Compared(2)
    with one.override(3):
        assert Loader(lambda keys: [(one.get(), two.get())], blocking=True)(0) == (3, 2)


# Event hooks


@pytest.mark.parametrize("handlers", [7, [7]], ids=repr)
def test_an_event_hook_refuses_handlers_that_are_no_functions(handlers):
    with pytest.raises(TypeError, match=r"(handlers|handler) must be a"):
        AsyncEventHook(handlers)


def test_an_unknown_handler_is_named():
    with pytest.raises(ValueError, match="cannot unsubscribe <built-in function print>"):
        AsyncEventHook().unsubscribe(print)


@pytest.mark.parametrize("trigger", ["trigger", "safe_trigger"])
def test_a_handler_that_changes_an_async_event_counts_from_the_next_time_on(trigger):
    hook, calls = AsyncEventHook(), []

    def leaves():
        calls.append("leaves")
        hook.unsubscribe(leaves)

    def brings():
        calls.append("brings")
        hook.subscribe(lambda: calls.append("late"))

    hook.subscribe(leaves)
    hook.subscribe(brings)
    getattr(hook, trigger)()
    assert calls == ["leaves", "brings"]


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


# Loaders


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"nope": 1}, TypeError, "unknown setting of a loader: nope"),
        ({"name": 7}, TypeError, "name must be a str, got 7"),
        ({"blocking": "no"}, TypeError, "blocking must be True or False, got 'no'"),
        (
            {"cache_errors": 1},
            TypeError,
            "cache_errors must be True, False or a function .*, got 1",
        ),
        ({"timeout": "5"}, TypeError, "timeout must be a number of seconds, got '5'"),
        ({"timeout": True}, TypeError, "timeout must be a number of seconds, got True"),
        ({"priority": float("nan")}, TypeError, "priority must be a number, got nan"),
        ({"max_in_flight": True}, TypeError, "max_in_flight must be an int, got True"),
        ({"max_batch_size": 0}, ValueError, "max_batch_size must be 1 or more, got 0"),
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [asynq.loader, lambda **settings: Loader(list, **settings)])
def test_a_setting_of_another_type_is_refused_where_it_is_given(make, settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


def test_a_loader_is_initialized_once():
    loader = Loader(list, cache=True)
    loader(1)
    with pytest.raises(RuntimeError, match="the loader list cannot be initialized again"):
        loader.__init__(list)
    assert loader(1) == 1
    assert loader.stats.hits == 1


def test_the_attributes_of_a_batch_function_hide_no_method():
    def function(keys):
        return keys

    function.clear = function.settings = None
    loader = Loader(function, cache=True)
    assert loader(1) == 1
    loader.clear(1)
    assert loader(1) == 1
    assert loader.stats.batches == 2


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), ("5", TypeError), (True, TypeError)])
def test_the_limit_of_all_loaders_is_a_count(count, error):
    with pytest.raises(error, match="max_in_flight must be"):
        set_max_in_flight(count)


# A cache of limited size


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("5",), TypeError, "capacity must be an int, got '5'"),
        ((True,), TypeError, "capacity must be an int, got True"),
        ((5, "1"), TypeError, "ttl must be a number of seconds, got '1'"),
        ((5, 1, 7), TypeError, "clock must be a function, got 7"),
    ],
    ids=str,
)
def test_an_argument_of_an_lru_of_another_type_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Lru(*arguments)


def test_an_lru_can_be_looped_over_while_reading_moves_its_keys():
    cache = Lru(3)
    cache.update(a=1, b=2)
    assert list(cache.items()) == [("a", 1), ("b", 2)]
    assert list(cache.values()) == [1, 2]
    assert cache == {"a": 1, "b": 2}


def test_an_lru_does_not_list_what_has_expired():
    now = [0]
    cache = Lru(3, ttl=10, clock=lambda: now[0])
    cache["old"] = 1
    now[0] = 5
    cache["new"] = 2
    now[0] = 12
    assert dict(cache) == {"new": 2}


# Stores


@pytest.mark.parametrize("database", [7, None, []], ids=repr)
def test_a_database_that_is_no_path_is_refused(database):
    with pytest.raises(TypeError, match=f"database must be .*, got {re.escape(repr(database))}"):
        Sqlite(database)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": 7}, "columns must be a name or a list of names, got 7"),
        ({"columns": [7]}, "the name of a table or column must be a str, got 7"),
        ({"columns": "b", "row": 7}, "row must be a function, got 7"),
        ({"columns": "b", "blocking": False}, "blocking is a setting of the store"),
        ({"columns": "b", "nope": 1}, "unknown setting of a loader: nope"),
    ],
    ids=str,
)
def test_an_argument_of_row_by_of_another_type_is_refused(tmp_path, arguments, message):
    with pytest.raises(TypeError, match=message):
        Sqlite(tmp_path / "none.sqlite").row_by("t", "a", **arguments)


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
