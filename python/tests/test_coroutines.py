"""Async functions that are coroutine functions: `@asynq() async def`."""

import asyncio
import functools
import gc
import inspect
import pickle
import traceback
import types
import weakref

import pytest

import asynq as package
from asynq import (
    AsyncContext,
    AsyncScopedValue,
    AsyncTask,
    AsyncTaskError,
    BatchItemBase,
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    NonAsyncContext,
    async_call,
    async_override,
    async_proxy,
    asynq,
    debug,
    get_active_task,
    mock,
    result,
)
from asynq.batching import DebugBatchItem
from asynq.tools import (
    AsyncTimer,
    acached_per_instance,
    afilter,
    alazy_constant,
    alru_cache,
    amap,
    amax,
    aretry,
    asorted,
    call_with_context,
    deduplicate,
)


@asynq()
async def double(x):
    """Doubles a number."""
    return await DebugBatchItem(result=2 * x)


@asynq()
def double_by_yield(x):
    return (yield DebugBatchItem(result=2 * x))


@asynq()
async def quadruple(x):
    return await double.asynq(await double.asynq(x))


# Calls


def test_a_plain_call_runs_it():
    assert quadruple(1) == 4


def test_an_asynchronous_call_is_a_task():
    task = quadruple.asynq(1)
    assert isinstance(task, AsyncTask)
    assert task.value() == 4
    assert task.value() == 4


def test_asyncio_awaits_it():
    @asynq()
    async def fn(x):
        await asyncio.sleep(0)
        return x

    assert asyncio.run(fn.asyncio(1)) == 1


def test_a_coroutine_without_await_has_its_value():
    @asynq()
    async def fn():
        return 1

    assert fn() == 1
    assert fn.asynq().value() == 1


def test_arguments_are_passed_in_each_way():
    @asynq()
    async def fn(a, /, b, *rest, c=3, **others):
        return a, b, rest, c, others

    assert fn(1, 2) == (1, 2, (), 3, {})
    assert fn.asynq(1, 2, 4, c=5, d=6).value() == (1, 2, (4,), 5, {"d": 6})


def test_wrong_arguments_are_an_error_of_the_call():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        double.asynq()


class Service:
    factor = 3

    def __init__(self, factor=2):
        self.factor = factor

    @asynq()
    async def method(self, x):
        return self.factor * await double.asynq(x)

    @asynq()
    @classmethod
    async def class_method(cls, x):
        return cls.factor * await double.asynq(x)

    @asynq()
    @staticmethod
    async def static_method(x):
        return await double.asynq(x)


@pytest.mark.parametrize(
    ("name", "value"), [("method", 4), ("class_method", 6), ("static_method", 2)]
)
def test_methods_of_each_kind_run(name, value):
    method = getattr(Service(), name)
    assert method(1) == value
    assert method.asynq(1).value() == value


def test_a_pure_function_returns_its_task():
    @asynq(pure=True)
    async def fn(x):
        return await double.asynq(x)

    assert fn(1).value() == 2


def test_a_class_of_tasks_gets_the_coroutine():
    class Task(AsyncTask):
        pass

    @asynq(cls=Task)
    async def fn(x):
        return await double.asynq(x)

    task = fn.asynq(1)
    assert type(task) is Task
    assert task.value() == 2
    assert fn(1) == 2


def test_a_sync_fn_replaces_the_plain_call():
    @asynq(sync_fn=lambda x: -x)
    async def fn(x):
        return x

    assert fn(1) == -1
    assert fn.asynq(1).value() == 1


def test_an_asyncio_fn_replaces_it_on_an_event_loop():
    async def other(x):
        return -x

    @asynq(asyncio_fn=other)
    async def fn(x):
        return x

    assert asyncio.run(fn.asyncio(1)) == -1


def test_a_proxy_returns_the_task_of_a_coroutine_function():
    @async_proxy()
    def proxy(x):
        return double.asynq(x)

    @asynq()
    async def fn(x):
        return await proxy.asynq(x)

    assert proxy(1) == fn(1) == 2


def test_a_coroutine_function_is_no_proxy():
    with pytest.raises(TypeError, match=r"fn is a coroutine function.*@asynq\(\) instead"):

        @async_proxy()
        async def fn():
            pass


def test_an_async_generator_function_is_no_async_function():
    with pytest.raises(TypeError, match=r"fn is an async generator function.*@async_generator\(\)"):

        @asynq()
        async def fn():
            yield 1


def test_a_function_that_returns_a_coroutine_runs_it():
    # As the wrappers of other decorators do.
    def logged(fn):
        @functools.wraps(fn)
        def wrapper(*args):
            return fn(*args)

        return wrapper

    @asynq()
    @logged
    async def fn(x):
        return get_active_task().args, await double.asynq(x)

    assert fn(1) == ((1,), 2)
    assert fn.asynq(1).value() == ((1,), 2)


def test_a_partial_of_a_coroutine_function_runs():
    async def fn(a, b):
        return a + await double.asynq(b)

    assert asynq()(functools.partial(fn, 1))(2) == 5


def test_calls_are_synchronous_inside_of_coroutines_too():
    @asynq()
    async def fn(x):
        return double(x) + await double.asynq(x)

    assert fn(1) == 4


# Attributes


def test_it_is_called_without_await_so_it_is_no_coroutine_function():
    assert not inspect.iscoroutinefunction(double)
    assert not inspect.iscoroutinefunction(inspect.unwrap(double))
    assert not inspect.iscoroutinefunction(Service().method)
    assert asyncio.iscoroutinefunction(double.asyncio)


def test_it_has_the_attributes_of_the_function():
    assert double.__doc__ == "Doubles a number."
    assert double.__name__ == "double"
    assert str(inspect.signature(double)) == "(x)"
    assert pickle.loads(pickle.dumps(double)) is double


def test_the_annotation_of_the_result_is_that_of_the_value():
    @asynq()
    async def fn(x: int) -> str:
        return str(x)

    assert inspect.signature(fn).return_annotation is str
    assert inspect.signature(fn.asyncio).return_annotation is str


# What can be awaited


def test_futures_of_each_kind_can_be_awaited():
    class Computed(FutureBase):
        def _compute(self):
            self.set_value(5)

    @asynq()
    async def fn():
        return [
            await double.asynq(1),
            await double_by_yield.asynq(1),
            await DebugBatchItem(result=3),
            await ConstFuture(4),
            await Computed(),
            await Future(lambda: 6),
        ]

    assert fn() == [2, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("value", [None, 0, (), (1, 2), [], {}, StopIteration(1), KeyError("x")])
def test_every_value_arrives(value):
    @asynq()
    async def fn():
        return await DebugBatchItem(result=value), await ConstFuture(value)

    assert [got is value for got in fn()] == [True, True]


def test_a_future_can_be_awaited_again():
    @asynq()
    async def fn():
        task = double.asynq(1)
        return await task, await task

    assert fn() == (2, 2)


def test_coroutines_await_coroutines_of_their_own():
    async def plain(x):
        return await double.asynq(x) + await double_by_yield.asynq(x)

    @asynq()
    async def fn(x):
        return await plain(x)

    assert fn(1) == 4


def test_a_class_may_await_in_its_own_way():
    class Twice:
        def __await__(self):
            first = yield double.asynq(1)
            second = yield from double.asynq(first).__await__()
            return first, second

    @asynq()
    async def fn():
        return await Twice()

    assert fn() == (2, 4)


def test_a_generator_based_coroutine_may_yield_structures():
    @types.coroutine
    def wait(futures):
        return (yield futures)

    @asynq()
    async def fn():
        return await wait([double.asynq(1), (double.asynq(2),), {"a": double.asynq(3)}])

    assert fn() == [2, (4,), {"a": 6}]


def test_generators_and_coroutines_call_each_other():
    @asynq()
    async def by_await(n):
        return 0 if n == 0 else 1 + await by_yield.asynq(n - 1)

    @asynq()
    def by_yield(n):
        return 0 if n == 0 else 1 + (yield by_await.asynq(n - 1))

    assert by_await(9) == by_yield(9) == 9


def test_a_generator_waits_by_yield_from_too():
    @asynq()
    def fn():
        one = yield from double.asynq(1)
        nothing = yield from DebugBatchItem(result=None)
        both = yield from package.gather(double.asynq(2), double_by_yield.asynq(3))
        return one, nothing, both

    assert fn() == (2, None, [4, 6])


def test_an_error_is_raised_at_yield_from():
    @asynq()
    def fn():
        try:
            yield from ErrorFuture(KeyError("x"))
        except KeyError as error:
            return error.args

    assert fn() == ("x",)


# Rounds and order


def test_coroutines_and_generators_share_rounds(source):
    @asynq()
    async def by_await(key):
        return await source.item(await source.item(key))

    @asynq()
    def by_yield(key):
        return (yield source.item((yield source.item(key))))

    @asynq()
    async def fn():
        return await package.gather(*[f.asynq(key) for key in (1, 2) for f in (by_await, by_yield)])

    assert fn() == [4, 4, 8, 8]
    assert source.flushed == [[1, 1, 2, 2], [2, 2, 4, 4]]


def test_steps_have_the_same_order_in_both_styles(source):
    def program(style):
        log = []

        @asynq()
        def leaf_by_yield(name):
            log.append(f"{name} starts")
            yield source.item(1)
            log.append(f"{name} goes on")

        @asynq()
        async def leaf_by_await(name):
            log.append(f"{name} starts")
            await source.item(1)
            log.append(f"{name} goes on")

        leaf = leaf_by_await if style == "await" else leaf_by_yield

        @asynq()
        def inner_by_yield(name):
            yield leaf.asynq(f"{name}.1"), leaf.asynq(f"{name}.2")
            log.append(f"{name} ends")

        @asynq()
        async def inner_by_await(name):
            await package.gather(leaf.asynq(f"{name}.1"), leaf.asynq(f"{name}.2"))
            log.append(f"{name} ends")

        inner = inner_by_await if style == "await" else inner_by_yield
        amap(inner, "ab")
        return log

    assert program("await") == program("yield")


def test_a_chain_of_ten_thousand_awaits_runs():
    @asynq()
    async def chain(n):
        return 0 if n == 0 else 1 + await chain.asynq(n - 1)

    assert chain(10_000) == 10_000


def test_a_chain_of_ten_thousand_awaits_is_left_behind():
    @asynq()
    async def chain(n):
        return await (FutureBase() if n == 0 else chain.asynq(n - 1))

    with pytest.raises(AsyncTaskError, match="deadlock"):
        chain(10_000)


# Errors


def test_an_error_of_a_task_is_raised_at_its_await():
    @asynq()
    async def fails():
        await double.asynq(1)
        raise KeyError("x")

    @asynq()
    async def fn():
        try:
            await fails.asynq()
        except KeyError as error:
            return error.args

    assert fn() == ("x",)


def test_an_error_that_is_not_caught_is_that_of_the_call():
    @asynq()
    async def fails():
        raise KeyError("x")

    @asynq()
    async def fn():
        await fails.asynq()

    with pytest.raises(KeyError):
        fn()
    assert isinstance(fn.asynq().error(), KeyError)


def functions_of(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_the_traceback_has_the_frames_of_all_who_await():
    async def helper():
        raise KeyError("x")

    @asynq()
    async def inner():
        await double.asynq(1)
        await helper()

    @asynq()
    async def outer():
        await inner.asynq()

    with pytest.raises(KeyError) as caught:
        outer()
    assert functions_of(caught.value)[1:] == ["outer", "inner", "helper"]


def test_the_asynq_stack_names_the_lines_of_coroutines():
    @asynq()
    async def inner():
        await double.asynq(1)
        return debug.format_asynq_stack()

    @asynq()
    async def outer():
        return await inner.asynq()

    lines = [entry.splitlines()[-1].strip() for entry in outer()]
    assert lines == ["return await inner.asynq()", "return debug.format_asynq_stack()"]


def test_result_ends_a_coroutine_function():
    @asynq()
    async def fn():
        await double.asynq(1)
        result(3)

    assert fn() == 3


def test_a_finally_block_may_await():
    log = []

    @asynq()
    async def fn():
        try:
            await ErrorFuture(KeyError("x"))
        finally:
            log.append(await double.asynq(1))

    with pytest.raises(KeyError):
        fn()
    assert log == [2]


# Contexts


def test_a_context_is_active_while_its_coroutine_or_what_that_awaits_runs(source, context, log):
    @asynq()
    async def under(name):
        with context(name):
            await source.item(name)
            log.append(f"in {name}")

    @asynq()
    async def fn():
        await package.gather(under.asynq("a"), under.asynq("b"))

    fn()
    assert log == [
        "+a",
        "-a",
        "+b",
        "-b",
        ("source", ["a", "b"]),
        "+a",
        "in a",
        "-a",
        "+b",
        "in b",
        "-b",
    ]


def test_async_with_enters_a_context_as_with_does(source, context, log):
    @asynq()
    async def by_with():
        with context("a") as entered:
            await source.item(1)
            return type(entered)

    @asynq()
    async def by_async_with():
        async with context("a") as entered:
            await source.item(1)
            return type(entered)

    kind = by_with()
    expected = list(log)
    log.clear()
    assert by_async_with() is kind
    assert log == expected


def test_async_with_leaves_a_context_by_an_error(context, log):
    @asynq()
    async def fn():
        async with context("a"):
            await double.asynq(1)
            raise KeyError("x")

    with pytest.raises(KeyError):
        fn()
    assert log[-1] == "-a"


def test_async_with_may_swallow_an_error():
    class Swallow(AsyncContext):
        def resume(self):
            pass

        pause = resume

        def __exit__(self, ty, value, tb):
            super().__exit__(ty, value, tb)
            return True

    @asynq()
    async def fn():
        async with Swallow():
            raise KeyError("x")
        return 1

    assert fn() == 1


def test_async_with_takes_each_context_of_the_package():
    value = AsyncScopedValue(0)

    class Target:
        attribute = 0

    @asynq()
    async def fn():
        async with value.override(1), async_override(Target, "attribute", 2), AsyncTimer() as timer:
            seen = await amap.asynq(see, [1])
        async with NonAsync():
            pass
        return seen, timer.total_time >= 0

    class NonAsync(NonAsyncContext):
        pass

    @asynq()
    async def see(x):
        await double.asynq(x)
        return value.get(), Target.attribute

    assert fn() == ([(1, 2)], True)
    assert (value.get(), Target.attribute) == (0, 0)


def test_a_context_that_forbids_waiting_forbids_to_await():
    @asynq()
    async def fn():
        async with NonAsyncContext():
            await double.asynq(1)

    with pytest.raises(AssertionError):
        fn()


# Tools


@asynq()
async def is_odd(x):
    return (await double.asynq(x)) % 4 == 2


def test_the_tools_take_coroutine_functions():
    assert amap(double, [1, 2]) == [2, 4]
    assert afilter(is_odd, [1, 2, 3]) == [1, 3]
    assert asorted([3, 1, 2], key=double) == [1, 2, 3]
    assert amax([3, 1, 2], key=double) == 3
    assert call_with_context(AsyncTimer(), double, 1) == 2
    assert async_call(double, 1) == 2


def test_equal_calls_share_a_task():
    calls = []

    @deduplicate()
    @asynq()
    async def fn(x):
        calls.append(x)
        return await double.asynq(x)

    @asynq()
    async def both():
        return await package.gather(fn.asynq(1), fn.asynq(1))

    assert both() == [2, 2]
    assert calls == [1]


@pytest.mark.parametrize("cache", [alru_cache(), alazy_constant()], ids=["lru", "constant"])
def test_a_cached_coroutine_function_runs_once(cache):
    calls = []

    @cache
    @asynq()
    async def fn():
        calls.append(1)
        return await double.asynq(1)

    assert [fn(), fn()] == [2, 2]
    assert calls == [1]


def test_a_cached_coroutine_method_runs_once_per_object():
    class Account:
        calls = 0

        @acached_per_instance()
        @asynq()
        async def balance(self):
            self.calls += 1
            return await double.asynq(1)

    account = Account()
    assert [account.balance(), account.balance(), account.calls] == [2, 2, 1]


def test_a_coroutine_function_is_retried():
    calls = []

    @aretry(KeyError, max_tries=3, sleep=0)
    @asynq()
    async def fn():
        calls.append(1)
        await double.asynq(1)
        if len(calls) < 3:
            raise KeyError("x")
        return len(calls)

    assert fn() == 3


def test_mock_replaces_a_coroutine_function():
    with mock.patch(f"{__name__}.double") as replaced:
        replaced.return_value = 5
        assert quadruple(1) == 5
        assert double(1) == 5
        assert asyncio.run(double.asyncio(1)) == 5


def test_mock_replaces_by_a_coroutine_function():
    async def fake(x):
        return x + await double_by_yield.asynq(x)

    with mock.patch(f"{__name__}.double", fake):
        assert double(1) == 3
        assert quadruple(1) == 9


def test_mock_replaces_a_coroutine_method():
    with mock.patch.object(Service, "method") as replaced:
        replaced.side_effect = lambda x: -x
        assert Service().method(1) == -1
        assert Service().method.asynq(1).value() == -1


# Misuse


class Foreign:
    """An awaitable of some event loop."""

    def __init__(self, yielded):
        self.yielded = yielded

    def __await__(self):
        return (yield self.yielded)


@pytest.mark.parametrize("yielded", [None, 5, "x", object()], ids=["None", "int", "str", "object"])
def test_a_foreign_awaitable_needs_an_event_loop(yielded):
    @asynq()
    async def fn():
        await Foreign(yielded)

    with pytest.raises(RuntimeError, match=r"fn\(\) awaits .* no event loop.*\.asyncio\(\.\.\.\)"):
        fn()
    with pytest.raises(RuntimeError, match="no event loop"):
        fn.asynq().value()


def test_a_foreign_awaitable_is_an_error_at_its_await():
    @asynq()
    async def fn():
        try:
            await asyncio.sleep(0)
        except RuntimeError:
            return await double.asynq(1)

    assert fn() == 2


def test_an_error_of_a_foreign_awaitable_names_its_class():
    @asynq()
    async def fn(loop):
        await loop.create_future()

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="awaits a Future of an event loop"):
            fn(loop)
    finally:
        loop.close()


def test_a_task_that_awaits_itself_is_a_deadlock():
    tasks = []

    @asynq()
    async def fn():
        await tasks[0]

    tasks.append(fn.asynq())
    with pytest.raises(AsyncTaskError, match="deadlock"):
        tasks[0].value()


def test_a_coroutine_can_run_once():
    async def coroutine():
        await double.asynq(1)
        return 1

    running = coroutine()
    tasks = [AsyncTask(running, coroutine, (), {}) for _ in range(2)]
    assert tasks[0].value() == 1
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        tasks[1].value()


def test_a_coroutine_that_runs_cannot_be_awaited():
    @asynq()
    async def fn():
        await get_active_task()._generator

    with pytest.raises((RuntimeError, ValueError), match=r"already|being awaited"):
        fn()


def test_a_coroutine_may_catch_every_error_and_go_on():
    @asynq()
    async def fn():
        for _ in range(3):
            try:
                await ErrorFuture(GeneratorExit())
            except BaseException:
                pass
        return await double.asynq(1)

    assert fn() == 2


def test_a_coroutine_that_is_left_behind_is_closed():
    log = []

    @asynq()
    async def waits():
        try:
            await FutureBase()
        finally:
            log.append("closed")

    @asynq()
    async def fails():
        raise KeyError("x")

    @asynq()
    async def fn():
        await package.gather(waits.asynq(), fails.asynq())

    with pytest.raises((KeyError, AsyncTaskError)):
        fn()
    gc.collect()
    assert log == ["closed"]


def test_a_future_is_not_awaited_by_a_coroutine_outside():
    async def plain():
        return await double_by_yield.asynq(1)

    message = r"double_by_yield\.asynq\(\.\.\.\).*@asynq\(\).*await double_by_yield\.asyncio"
    with pytest.raises(RuntimeError, match=message):
        plain().send(None)


def test_an_item_is_not_awaited_by_a_coroutine_outside():
    async def plain():
        return await DebugBatchItem(result=1)

    with pytest.raises(RuntimeError, match="a DebugBatchItem is awaited by a coroutine that asynq"):
        plain().send(None)


def test_a_future_cannot_be_iterated_outside():
    with pytest.raises(TypeError, match="AsyncTask object is not iterable"):
        list(double_by_yield.asynq(1))


def test_a_future_cannot_be_iterated_or_unpacked_inside():
    @asynq()
    async def loops():
        for _ in double_by_yield.asynq(1):
            pass

    @asynq()
    async def unpacks():
        _a, _b = double_by_yield.asynq(1)

    for fn in (loops, unpacks):
        with pytest.raises(TypeError, match="cannot be iterated or unpacked: did you forget to"):
            fn()


def test_an_awaitable_may_be_resumed_by_hand():
    @asynq()
    async def fn():
        task = double.asynq(1)
        iterator = task.__await__()
        assert iterator.send(None) is task
        with pytest.raises(StopIteration) as ended:
            iterator.send(7)
        with pytest.raises(StopIteration):
            next(iterator)
        return ended.value.value, await task

    assert fn() == (7, 2)


def test_an_awaitable_that_is_resumed_by_hand_may_keep_its_end():
    @asynq()
    async def fn():
        kept = []
        for number in range(3):
            iterator = double.asynq(number).__await__()
            task = iterator.send(None)
            with pytest.raises(StopIteration) as ended:
                iterator.send(number)
            kept.append(ended.value)
            assert await task == 2 * number
        return [end.value for end in kept]

    assert fn() == [0, 1, 2]


def test_an_awaited_value_is_given_up():
    class Value:
        pass

    @asynq()
    async def give(value):
        return await DebugBatchItem(result=value)

    @asynq()
    async def fn():
        value = await give.asynq(Value())
        reference = weakref.ref(value)
        del value
        await give.asynq(None)
        return reference

    assert fn()() is None


def test_an_await_can_be_left_by_an_error_from_outside():
    async def plain():
        try:
            await double.asynq(1)
        except KeyError:
            return await double.asynq(2)

    @asynq()
    async def fn():
        coroutine = plain()
        first = coroutine.send(None)
        second = coroutine.throw(KeyError("x"))
        with pytest.raises(StopIteration) as ended:
            coroutine.send(await second)
        return await first, ended.value.value

    assert fn() == (2, 4)


def test_items_of_users_can_be_awaited(source):
    class Named(BatchItemBase):
        def __init__(self):
            super().__init__(source.open)
            self.key = 4

    @asynq()
    async def fn():
        return await Named()

    assert fn() == 8
