"""asyncio mode: `fn.asyncio(...)`, and what `asynq`, contexts and tools do inside it."""

import asyncio
import contextvars
import functools
import gc
import logging
import threading

import pytest

from asynq import (
    AsyncContext,
    AsyncScopedValue,
    ConstFuture,
    ErrorFuture,
    Future,
    async_call,
    async_proxy,
    asynq,
    is_asyncio_mode,
    make_async_decorator,
    result,
)
from asynq.asynq_to_async import AsyncioMode, resolve_awaitables
from asynq.batching import DebugBatchItem
from asynq.decorators import asyncio_call, convert_asynq_to_async, lazy
from asynq.tools import (
    AsyncEventHook,
    AsyncTimer,
    acached_per_instance,
    alazy_constant,
    alru_cache,
    amap,
    aretry,
    call_with_context,
    deduplicate,
)


@asynq()
def double(x):
    return 2 * x


@asynq()
def double_in_two_steps(x):
    return (yield double.asynq(x))


@asynq(pure=True)
def pure_double(x):
    return (yield double.asynq(x))


@async_proxy()
def proxied_double(x):
    return double.asynq(x)


def twice(fn):
    @asynq(pure=True)
    def wrapper(*args, **kwargs):
        return 2 * (yield fn.asynq(*args, **kwargs))

    return make_async_decorator(fn, wrapper, "twice")


async def double_in_asyncio(x):
    await asyncio.sleep(0)
    return 2 * x


@asynq(asyncio_fn=double_in_asyncio)
def double_by_batch(x):
    return (yield DebugBatchItem(result=2 * x))


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


def test_an_asynchronous_call_in_asyncio_mode_is_a_coroutine():
    seen = []

    @asynq()
    def fn():
        coroutine = double.asynq(3)
        seen.append(asyncio.iscoroutine(coroutine))
        return (yield coroutine)

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


def test_the_converted_function_is_kept():
    assert asyncio.run(double.asyncio(1)) == 2
    kept = double.asyncio_fn
    assert asyncio.run(double.asyncio(1)) == 2
    assert double.asyncio_fn is kept


def test_a_converted_function_has_the_name_of_the_original():
    coroutine = convert_asynq_to_async(double.fn)(1)
    assert coroutine.__name__ == "double"
    coroutine.close()


# Values that can be yielded


def test_awaitables_in_nested_collections_are_awaited():
    asked = {"a": [double.asyncio(1), (double.asyncio(2), None)], "b": ()}
    assert asyncio.run(yields.asyncio(asked)) == {"a": [2, (4, None)], "b": ()}


@pytest.mark.parametrize("empty", [None, [], (), {}])
def test_nothing_is_given_back_as_it_is(empty):
    assert asyncio.run(yields.asyncio(empty)) == empty


def test_asyncio_futures_can_be_yielded():
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        return await yields.asyncio([future, asyncio.sleep(0, 2)])

    assert asyncio.run(main()) == [1, 2]


def test_known_values_can_be_yielded():
    assert asyncio.run(yields.asyncio(ConstFuture(1))) == 1


def test_lazy_futures_can_be_yielded():
    assert asyncio.run(yields.asyncio(Future(lambda: 1))) == 1


def test_known_errors_can_be_yielded():
    with pytest.raises(KeyError, match="x"):
        asyncio.run(yields.asyncio(ErrorFuture(KeyError("x"))))


def test_a_value_may_be_an_exception():
    error = KeyError("x")
    assert asyncio.run(yields.asyncio([ConstFuture(error)])) == [error]


def test_a_batch_item_is_a_runtime_error():
    with pytest.raises(RuntimeError, match="BatchItem is not supported in asyncio mode"):
        asyncio.run(yields.asyncio(DebugBatchItem()))


@pytest.mark.parametrize("x", [5, "five", {1, 2}, object()])
def test_what_cannot_be_awaited_is_a_type_error(x):
    with pytest.raises(TypeError, match="Unknown structured awaitable type"):
        asyncio.run(yields.asyncio(x))


def test_a_task_made_outside_of_asyncio_mode_is_a_type_error():
    with pytest.raises(TypeError, match="cannot be awaited in asyncio mode"):
        asyncio.run(yields.asyncio(double.asynq(1)))


def test_what_cannot_be_awaited_is_raised_where_it_was_yielded():
    @asynq()
    def fn():
        try:
            yield 5
        except TypeError:
            return "caught"

    assert asyncio.run(fn.asyncio()) == "caught"


def test_what_is_yielded_together_runs_concurrently():
    async def main():
        meeting = asyncio.Event()

        async def wait():
            await meeting.wait()
            return "waited"

        async def arrive():
            meeting.set()
            return "arrived"

        return await yields.asyncio([wait(), arrive()])

    assert asyncio.run(main()) == ["waited", "arrived"]


def test_resolve_awaitables_can_be_used_alone():
    assert asyncio.run(resolve_awaitables([double.asyncio(1)])) == [2]


# Errors


async def fail(error, steps=0):
    for _ in range(steps):
        await asyncio.sleep(0)
    raise error


def test_an_error_is_raised_where_it_was_yielded():
    @asynq()
    def fn():
        try:
            yield fail(KeyError("x"))
        except KeyError as error:
            return error.args

    assert asyncio.run(fn.asyncio()) == ("x",)


def test_the_first_error_in_the_order_given_is_raised():
    with pytest.raises(KeyError):
        asyncio.run(yields.asyncio([fail(KeyError("late"), steps=5), fail(ValueError("early"))]))


def test_the_others_run_to_their_end_if_one_fails():
    ended = []

    async def work(name, steps):
        for _ in range(steps):
            await asyncio.sleep(0)
        ended.append(name)

    @asynq()
    def fn():
        with pytest.raises(KeyError):
            yield [work("a", 1), fail(KeyError()), work("b", 5)]
        return list(ended)

    assert asyncio.run(fn.asyncio()) == ["a", "b"]


def test_the_traceback_of_an_error_shows_all_functions_it_went_through():
    @asynq()
    def inner():
        yield None
        raise KeyError

    @asynq()
    def outer():
        yield inner.asynq()

    with pytest.raises(KeyError) as caught:
        asyncio.run(outer.asyncio())
    names = [entry.name for entry in caught.traceback]
    assert [name for name in names if name in ("inner", "outer")] == ["outer", "inner"]


def test_a_cancelled_function_is_closed_in_asyncio_mode():
    log = []

    @asynq()
    def fn():
        try:
            yield asyncio.Event().wait()
        finally:
            log.append(is_asyncio_mode())

    async def main():
        task = asyncio.ensure_future(fn.asyncio())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), log

    assert asyncio.run(main()) == (True, [True])


def test_cancelling_cancels_what_is_awaited_together():
    cancelled = []

    async def wait(name):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    async def main():
        task = asyncio.ensure_future(yields.asyncio([wait("a"), wait("b")]))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return cancelled

    assert asyncio.run(main()) == ["a", "b"]


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


def test_a_coroutine_that_ends_elsewhere_leaves_the_mode_there_alone():
    coroutine = yields.asyncio(asyncio.sleep(0))
    contextvars.copy_context().run(coroutine.send, None)
    with AsyncioMode():
        coroutine.close()
        assert is_asyncio_mode()


def test_a_coroutine_collected_elsewhere_leaves_the_mode_there_alone():
    started = [yields.asyncio(asyncio.sleep(0))]
    contextvars.copy_context().run(started[0].send, None)
    with AsyncioMode():
        started.clear()
        gc.collect()
        assert is_asyncio_mode()


# Synchronous calls


@pytest.mark.parametrize("fn", [double, double_in_two_steps, proxied_double, twice(double)])
def test_a_synchronous_call_is_a_runtime_error(fn):
    with AsyncioMode(), pytest.raises(RuntimeError, match="does not support synchronous calls"):
        fn(1)


def test_a_synchronous_call_of_a_function_with_a_sync_fn_is_a_runtime_error():
    fn = asynq(sync_fn=lambda: 1)(lambda: 2)
    with AsyncioMode(), pytest.raises(RuntimeError, match="does not support synchronous calls"):
        fn()


def test_a_synchronous_call_of_a_proxy_with_a_sync_fn_is_made():
    fn = async_proxy(sync_fn=lambda: 1)(lambda: ConstFuture(2))
    with AsyncioMode():
        assert fn() == 1


def test_the_error_of_a_synchronous_call_says_what_to_do():
    with AsyncioMode(), pytest.raises(RuntimeError) as caught:
        double(1)
    message = str(caught.value)
    assert "Yield double.asynq(...) or await double.asyncio(...) instead" in message
    assert __file__ in message


def test_a_synchronous_call_of_a_method_is_a_runtime_error():
    class Shape:
        @asynq()
        def method(self):
            raise NotImplementedError

    with AsyncioMode(), pytest.raises(RuntimeError, match=r"Shape\.method\.asynq"):
        Shape().method()


ALLOWED = {
    "asynq": lambda: asynq(allow_sync_call=True)(double_in_two_steps.fn),
    "async_proxy": lambda: async_proxy(allow_sync_call=True)(double.asynq),
    "sync_fn": lambda: asynq(sync_fn=double, allow_sync_call=True)(double.fn),
    "method": lambda: functools.partial(HasAllowedMethod().method),
}


class HasAllowedMethod:
    @asynq(allow_sync_call=True)
    def method(self, x):
        return (yield double_in_two_steps.asynq(x))


@pytest.mark.parametrize("kind", ALLOWED)
def test_a_synchronous_call_can_be_allowed(kind, caplog):
    fn = ALLOWED[kind]()
    with AsyncioMode():
        assert fn(3) == 6
        assert is_asyncio_mode()


def test_an_allowed_synchronous_call_logs_a_warning(caplog):
    fn = ALLOWED["asynq"]()
    with AsyncioMode():
        fn(3)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("asynq", logging.WARNING)
    assert "asyncio mode does not support synchronous calls: double_in_two_steps" in record.message


@pytest.mark.parametrize("allowed", [True, False])
def test_allow_sync_call_says_nothing_about_calls_outside_of_asyncio_mode(allowed, caplog):
    fn = asynq(allow_sync_call=allowed)(lambda: 1)
    assert fn.allow_sync_call is allowed
    assert fn() == fn.asynq().value() == 1
    assert caplog.records == []


def test_synchronous_calls_are_not_allowed_unless_asked_for():
    assert double.allow_sync_call is False
    assert proxied_double.allow_sync_call is False


def test_the_body_of_an_allowed_synchronous_call_may_use_batches(caplog):
    @asynq(allow_sync_call=True)
    def fn():
        return (yield DebugBatchItem(result=1))

    with AsyncioMode():
        assert fn() == 1


# Functions of unknown kind


class OnlyAsynq:
    """A function without `asyncio`."""

    def asynq(self, x):
        return double.asynq(x)


@pytest.mark.parametrize(
    "fn",
    [
        double,
        pure_double,
        proxied_double,
        double_by_batch,
        lazy(lambda x: 2 * x),
        twice(asynq()(lambda x: x)),
        OnlyAsynq(),
        lambda x: 2 * x,
    ],
)
def test_async_call_calls_any_kind_of_function(fn):
    @asynq()
    def caller(fn, x):
        return (yield async_call.asynq(fn, x))

    assert asyncio.run(caller.asyncio(fn, 3)) == 6
    assert asyncio.run(async_call.asyncio(fn, 3)) == 6
    assert asyncio.run(asyncio_call(fn, 3)) == 6


# Contexts


class Switch(AsyncContext):
    def __init__(self):
        self.log = []

    def resume(self):
        self.log.append("resume")

    def pause(self):
        self.log.append("pause")


def test_a_context_is_not_paused_while_its_function_waits():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield asyncio.sleep(0)
            switch.log.append("waited")

    asyncio.run(fn.asyncio())
    assert switch.log == ["resume", "waited", "pause"]


def test_a_context_is_left_if_what_it_waits_for_fails():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield fail(KeyError())

    with pytest.raises(KeyError):
        asyncio.run(fn.asyncio())
    assert switch.log == ["resume", "pause"]


def test_a_context_is_left_if_its_function_is_cancelled():
    switch = Switch()

    @asynq()
    def fn():
        with switch:
            yield asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(fn.asyncio())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    assert switch.log == ["resume", "pause"]


def test_a_scoped_value_can_be_overridden():
    value = AsyncScopedValue("a")

    @asynq()
    def fn():
        with value.override("b"):
            yield None
            return value.get()

    assert asyncio.run(fn.asyncio()) == "b"
    assert value.get() == "a"


# Tools


def test_amap_maps():
    assert asyncio.run(amap.asyncio(double_by_batch, [1, 2])) == [2, 4]


def test_caches_cache():
    calls = []

    class Source:
        @acached_per_instance()
        @asynq()
        def per_instance(self, x):
            calls.append("per_instance")
            return (yield double_by_batch.asynq(x))

        @alru_cache()
        @asynq()
        def lru(self, x):
            calls.append("lru")
            return (yield double_by_batch.asynq(x))

    @alazy_constant()
    @asynq()
    def constant():
        calls.append("constant")
        return (yield double_by_batch.asynq(3))

    @asynq()
    def fn():
        source = Source()
        values = yield source.per_instance.asynq(1), source.lru.asynq(2), constant.asynq()
        again = yield source.per_instance.asynq(1), source.lru.asynq(2), constant.asynq()
        return values, again

    assert asyncio.run(fn.asyncio()) == ((2, 4, 6), (2, 4, 6))
    assert sorted(calls) == ["constant", "lru", "per_instance"]


def test_aretry_retries_and_lets_the_loop_run_meanwhile():
    log = []

    @aretry(KeyError, sleep=0.001)
    @asynq()
    def fn():
        log.append("try")
        if len(log) == 1:
            raise KeyError
        return "done"

    async def other():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append("other")

    async def main():
        return (await asyncio.gather(fn.asyncio(), other()))[0]

    assert asyncio.run(main()) == "done"
    assert log == ["try", "other", "try"]


def test_deduplicated_functions_run():
    fn = deduplicate()(double_by_batch)
    assert asyncio.run(fn.asyncio(3)) == 6
    assert asyncio.run(call_with_context.asyncio(Switch(), fn, 3)) == 6


def test_an_async_timer_measures():
    @asynq()
    def fn():
        with AsyncTimer() as timer:
            yield asyncio.sleep(0.001)
        return timer.total_time

    assert asyncio.run(fn.asyncio()) >= 1000


def test_an_async_event_hook_awaits_its_handlers():
    seen = []

    @asynq()
    def handler(x):
        seen.append((yield double_by_batch.asynq(x)))

    hook = AsyncEventHook([handler, seen.append])
    asyncio.run(hook.trigger.asyncio(3))
    asyncio.run(hook.safe_trigger.asyncio(3))
    assert sorted(seen) == [3, 3, 6, 6]
