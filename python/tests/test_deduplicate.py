"""`deduplicate`: equal calls share a task."""

import asyncio
import gc
import threading
import warnings
import weakref

import pytest

from asynq import ConstFuture, async_proxy, asynq, make_async_decorator
from asynq.batching import DebugBatchItem
from asynq.tools import (
    aretry,
    deduplicate,
)

# Most tests only compare tasks. Those that wait are in a cycle with the table of their function.
pytestmark = pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")


@pytest.fixture(autouse=True, scope="module")
def _no_task_is_left_to_other_modules():
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        gc.collect()


class Log:
    """A deduplicated function that records its calls."""

    def __init__(self, **options):
        self.calls = calls = []

        @deduplicate(**options)
        @asynq()
        def fn(a, b=2, *rest, c=3):
            """About fn."""
            calls.append((a, b, rest, c))
            yield DebugBatchItem()
            return a, b, rest, c

        self.fn = fn


@asynq()
def together(*tasks):
    return (yield list(tasks))


def test_equal_calls_share_a_task():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(1) is task
    assert together(task, task) == [(1, 2, (), 3)] * 2
    assert len(log.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, 2), {}), ((), {"a": 1}), ((1,), {"b": 2}), ((1,), {"c": 3})],
)
def test_equal_arguments_by_position_name_or_default_share_a_task(args, kwargs):
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(*args, **kwargs) is task


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((2,), {}), ((1, 3), {}), ((1,), {"c": 4}), ((1, 2, 3), {})],
)
def test_different_arguments_do_not_share_a_task(args, kwargs):
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(*args, **kwargs) is not task


def test_calls_while_the_task_waits_share_it():
    log = Log()

    @asynq()
    def later():
        yield DebugBatchItem("first", result=None)
        return (yield log.fn.asynq(1))

    assert together(later.asynq(), log.fn.asynq(1)) == [(1, 2, (), 3)] * 2
    assert len(log.calls) == 1


def test_a_call_after_the_end_of_the_task_starts_another():
    log = Log()
    task = log.fn.asynq(1)
    task.value()
    assert log.fn.asynq(1) is not task
    log.fn.asynq(1).value()
    assert len(log.calls) == 2


def test_a_call_after_the_task_has_failed_starts_another():
    calls = []

    @deduplicate()
    @asynq()
    def fn():
        calls.append(1)
        yield DebugBatchItem()
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            together(fn.asynq(), fn.asynq())
    assert len(calls) == 2


def test_a_synchronous_call_does_not_share():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn(1) == (1, 2, (), 3)
    assert not task.is_computed()
    task.value()
    assert len(log.calls) == 2


def test_keygetter_makes_the_key():
    log = Log(keygetter=lambda args, kwargs: args[0] % 2)
    task = log.fn.asynq(1)
    assert log.fn.asynq(3) is task
    assert log.fn.asynq(2) is not task


def test_functions_do_not_share_with_each_other():
    class Pair:
        @deduplicate()
        @asynq()
        def three(self):
            return 3

        @deduplicate()
        @asynq()
        def five(self):
            return 5

    pair = Pair()
    assert together(pair.three.asynq(), pair.five.asynq()) == [3, 5]


def test_threads_do_not_share_with_each_other():
    log = Log()
    task = log.fn.asynq(1)
    seen = []

    def other():
        other_task = log.fn.asynq(1)
        seen.append((other_task is task, other_task.value()))

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    thread.join()
    assert seen == [(False, (1, 2, (), 3))]


def test_dirty_makes_the_next_call_start_a_task():
    log = Log()
    task = log.fn.asynq(1)
    other = log.fn.asynq(2)
    log.fn.dirty(a=1)
    assert log.fn.asynq(1) is not task
    assert log.fn.asynq(2) is other


def test_dirty_without_a_task_does_nothing():
    log = Log()
    log.fn.dirty(1)
    assert log.fn(1) == (1, 2, (), 3)


def test_a_task_that_ends_after_dirty_leaves_its_successor_alone():
    log = Log()
    task = log.fn.asynq(1)
    log.fn.dirty(1)
    successor = log.fn.asynq(1)
    task.value()
    assert log.fn.asynq(1) is successor


def test_a_function_may_call_itself_after_dirty():
    depth = []

    @deduplicate()
    @asynq()
    def fn():
        depth.append(1)
        if len(depth) < 3:
            fn.dirty()
            yield fn.asynq()
        return len(depth)

    assert fn.asynq().value() == 3


def test_a_call_made_while_the_body_runs_starts_a_task():
    calls = []

    @deduplicate()
    @asynq()
    def fn():
        calls.append(1)
        yield DebugBatchItem()
        if len(calls) == 1:
            call_again()

    @asynq()
    def call_again():
        yield fn.asynq()

    fn.asynq().value()
    assert len(calls) == 2


def test_a_function_may_call_itself_with_other_arguments():
    @deduplicate()
    @asynq()
    def fn(n):
        yield DebugBatchItem()
        return 0 if n == 0 else 1 + (yield fn.asynq(n - 1))

    assert together(fn.asynq(20), fn.asynq(10)) == [20, 10]


def test_methods_of_each_kind_share_tasks():
    calls = []

    class Shape:
        @deduplicate()
        @asynq()
        def method(self, x=1):
            calls.append(("method", x))
            yield DebugBatchItem()
            return self

        @deduplicate()
        @asynq()
        @classmethod
        def classmethod_(cls, x=1):
            calls.append(("classmethod", x))
            yield DebugBatchItem()
            return cls

        @deduplicate()
        @asynq()
        @staticmethod
        def staticmethod_(x=1):
            calls.append(("staticmethod", x))
            yield DebugBatchItem()
            return x

    class Square(Shape):
        pass

    shape, other = Shape(), Shape()
    assert together(shape.method.asynq(), shape.method.asynq(1), other.method.asynq()) == [
        shape,
        shape,
        other,
    ]
    assert together(
        Shape.classmethod_.asynq(), shape.classmethod_.asynq(1), Square.classmethod_.asynq()
    ) == [Shape, Shape, Square]
    assert together(Shape.staticmethod_.asynq(), shape.staticmethod_.asynq(1)) == [1, 1]
    assert calls == [("method", 1)] * 2 + [("classmethod", 1)] * 2 + [("staticmethod", 1)]


def test_a_method_can_be_made_dirty():
    class Shape:
        @deduplicate()
        @asynq()
        def method(self, x=1):
            yield DebugBatchItem()

        @deduplicate()
        @asynq()
        @staticmethod
        def staticmethod_(x=1):
            yield DebugBatchItem()

    shape = Shape()
    tasks = shape.method.asynq(), shape.staticmethod_.asynq()
    shape.method.dirty(x=1)
    Shape.staticmethod_.dirty(1)
    assert shape.method.asynq() is not tasks[0]
    assert shape.staticmethod_.asynq() is not tasks[1]


def test_missing_arguments_of_a_deduplicated_function_are_a_type_error():
    @deduplicate()
    @asynq()
    def fn(*, arg):
        return arg

    with pytest.raises(TypeError):
        fn.asynq(1).value()
    assert fn.asynq(arg=1).value() == 1


def test_a_deduplicated_function_keeps_its_name():
    fn = Log().fn
    assert (fn.__name__, fn.__doc__) == ("fn", "About fn.")


def test_a_proxy_can_be_deduplicated():
    log = Log()
    made = []

    @deduplicate()
    @async_proxy()
    def proxy(x):
        made.append(x)
        return log.fn.asynq(x)

    assert proxy.asynq(1) is proxy.asynq(1)
    assert made == [1]


def test_what_is_computed_from_the_start_is_not_kept():
    made = []

    @deduplicate()
    @async_proxy()
    def proxy(x):
        made.append(x)
        return ConstFuture(len(made))

    assert [proxy.asynq(1).value(), proxy.asynq(1).value()] == [1, 2]


def test_a_made_decorator_can_be_deduplicated():
    def doubled(fn):
        @asynq(pure=True)
        def wrapper(x):
            return 2 * (yield fn.asynq(x))

        return make_async_decorator(fn, wrapper, "doubled")

    @deduplicate()
    @doubled
    @asynq()
    def fn(x):
        yield DebugBatchItem()
        return x

    assert fn.asynq(1) is not fn.asynq(2)
    assert together(fn.asynq(1), fn.asynq(1)) == [2, 2]


def test_a_retried_function_can_be_deduplicated():
    calls = []

    @deduplicate()
    @aretry(KeyError, sleep=0)
    @asynq()
    def fn(x, y=2):
        calls.append(x)
        yield DebugBatchItem()
        if len(calls) < 3:
            raise KeyError
        return x

    assert together(fn.asynq(1), fn.asynq(x=1)) == [1, 1]
    assert len(calls) == 3


def test_the_tasks_that_are_under_way_can_be_looked_at():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.tasks == {log.fn.cache_key((1,), {}): task}
    task.value()
    assert log.fn.tasks == {}


def test_the_tasks_that_are_under_way_go_with_their_function():
    class Marker:
        pass

    def start_and_forget():
        marker = Marker()

        @deduplicate()
        @asynq()
        def fn():
            yield DebugBatchItem(result=marker)

        fn.asynq()
        return weakref.ref(marker)

    marker = start_and_forget()
    gc.collect()
    assert marker() is None


# Event loops


def test_a_task_that_a_closed_loop_has_left_is_not_shared():
    release = []

    @deduplicate()
    @asynq()
    def fn():
        if not release:
            yield asyncio.sleep(30)
        return 1

    async def leaves():
        fn.asyncio()
        await asyncio.sleep(0)

    asyncio.run(leaves())
    release.append(True)
    assert asyncio.run(fn.asyncio()) == 1


def test_calls_on_one_loop_share_a_task():
    log = Log()

    async def main():
        return await asyncio.gather(log.fn.asyncio(1), log.fn.asyncio(1))

    assert asyncio.run(main()) == [(1, 2, (), 3)] * 2
    assert len(log.calls) == 1


def test_a_loop_and_its_thread_share_no_task():
    log = Log()
    task = log.fn.asynq(1)

    async def main():
        return log.fn.asynq(1) is task

    assert not asyncio.run(main())
