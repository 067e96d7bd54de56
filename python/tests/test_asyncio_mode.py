"""asyncio mode: `fn.asyncio(...)`, and where the mode is on."""

import asyncio
import threading

import pytest
from doubles import (
    double,
    double_by_batch,
    double_in_asyncio,
    double_in_two_steps,
    proxied_double,
    pure_double,
    twice,
)

from asynq import (
    AsyncTask,
    ConstFuture,
    async_proxy,
    asynq,
    is_asyncio_mode,
    result,
)
from asynq.asynq_to_async import AsyncioMode
from asynq.decorators import convert_asynq_to_async


@asynq()
def yields(x):
    return (yield x)


# Calls


@pytest.mark.parametrize(
    "fn",
    [double, double_in_two_steps, pure_double, proxied_double, double_by_batch],
)
def test_asyncio_runs_a_function_of_any_kind(fn):
    assert asyncio.run(fn.asyncio(3)) == 6


def test_asyncio_runs_what_a_made_decorator_has_wrapped():
    assert asyncio.run(twice(double).asyncio(3)) == 12


def test_asyncio_passes_all_kinds_of_arguments():
    @asynq()
    def fn(a, *rest, b, **others):
        yield None
        return a, rest, b, others

    assert asyncio.run(fn.asyncio(1, 2, b=3, c=4)) == (1, (2,), 3, {"c": 4})


def test_an_asynchronous_call_on_an_event_loop_is_a_task():
    seen = []

    @asynq()
    def fn():
        task = double.asynq(3)
        seen.append(isinstance(task, AsyncTask))
        return (yield task)

    assert asyncio.run(fn.asyncio()) == 6
    assert seen == [True]


def test_methods_of_each_kind_run_in_asyncio():
    class Shape:
        @asynq()
        def method(self, x):
            return self, (yield double.asynq(x))

        @asynq()
        @classmethod
        def classmethod_(cls, x):
            return cls, x

        @asynq()
        @staticmethod
        def staticmethod_(x):
            return x

        @asynq()
        def all_three(self):
            return (
                yield (
                    self.method.asynq(1),
                    self.classmethod_.asynq(2),
                    self.staticmethod_.asynq(3),
                )
            )

    shape = Shape()
    assert asyncio.run(shape.all_three.asyncio()) == ((shape, 2), (Shape, 2), 3)


def test_asyncio_fn_of_a_method_gets_its_object():
    async def asyncio_fn(self, x):
        return self, x

    class Shape:
        @asynq(asyncio_fn=asyncio_fn)
        def method(self, x):
            raise NotImplementedError

        @async_proxy(asyncio_fn=asyncio_fn)
        def proxy(self, x):
            raise NotImplementedError

        @asynq()
        def both(self):
            return (yield self.method.asynq(1), self.proxy.asynq(2))

    shape = Shape()
    assert asyncio.run(shape.both.asyncio()) == ((shape, 1), (shape, 2))


def test_asyncio_fn_stands_for_a_function_with_a_sync_fn():
    @asynq(sync_fn=lambda x: "sync", asyncio_fn=double_in_asyncio)
    def fn(x):
        return "async"

    assert asyncio.run(fn.asyncio(3)) == 6
    assert asyncio.run(yields.asyncio(fn.asyncio(3))) == 6


def test_a_proxy_of_a_known_value_has_that_value():
    @async_proxy()
    def fn():
        return ConstFuture(42)

    assert asyncio.run(fn.asyncio()) == 42


def test_result_ends_a_generator_function():
    @asynq()
    def fn():
        yield None
        result(3)

    assert asyncio.run(fn.asyncio()) == 3


def test_result_ends_a_function_without_yield():
    @asynq()
    def fn():
        result(3)

    assert asyncio.run(fn.asyncio()) == 3


def test_a_function_without_yield_may_return_a_generator():
    @asynq()
    def fn():
        return (x for x in (1, 2))

    assert list(asyncio.run(fn.asyncio())) == [1, 2]


def test_a_converted_function_has_the_name_of_the_original():
    coroutine = convert_asynq_to_async(double.fn)(1)
    assert coroutine.__name__ == "double"
    coroutine.close()


async def fail(error, steps=0):
    for _ in range(steps):
        await asyncio.sleep(0)
    raise error


# The mode


def test_the_mode_is_on_inside_and_off_outside():
    seen = []

    @asynq()
    def fn():
        seen.append(is_asyncio_mode())
        yield None
        seen.append(is_asyncio_mode())

    async def main():
        await fn.asyncio()
        seen.append(is_asyncio_mode())

    asyncio.run(main())
    assert seen == [True, True, False]
    assert not is_asyncio_mode()


def test_the_mode_is_off_after_an_error():
    with pytest.raises(KeyError):
        asyncio.run(yields.asyncio(fail(KeyError())))
    assert not is_asyncio_mode()
    assert double(1) == 2


def test_the_mode_can_be_entered_by_hand_and_again():
    mode = AsyncioMode()
    with mode:
        with mode:
            assert is_asyncio_mode()
        assert is_asyncio_mode()
    assert not is_asyncio_mode()


def test_other_tasks_of_the_loop_are_not_in_the_mode():
    async def main():
        inside, outside = asyncio.Event(), asyncio.Event()

        @asynq()
        def fn():
            inside.set()
            yield outside.wait()

        async def other():
            await inside.wait()
            value = double(3), is_asyncio_mode()
            outside.set()
            return value

        return (await asyncio.gather(fn.asyncio(), other()))[1]

    assert asyncio.run(main()) == (6, False)


def test_other_threads_are_not_in_the_mode():
    seen = []

    def other():
        seen.append((double(3), is_asyncio_mode()))

    with AsyncioMode():
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        thread.join()
    assert seen == [(6, False)]
