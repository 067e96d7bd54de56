"""Async functions that are coroutine functions: `@asynq() async def`."""

import asyncio
import functools
import inspect
import pickle

import pytest

import asynq as package
from asynq import (
    AsyncTask,
    AsyncTaskError,
    FutureBase,
    async_proxy,
    asynq,
    get_active_task,
    mock,
)
from asynq.batching import DebugBatchItem
from asynq.tools import amap


@asynq()
async def double(x):
    """Doubles a number."""
    return await DebugBatchItem(result=2 * x)


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


def test_mock_replaces_a_coroutine_method():
    with mock.patch.object(Service, "method") as replaced:
        replaced.side_effect = lambda x: -x
        assert Service().method(1) == -1
        assert Service().method.asynq(1).value() == -1
