"""Async functions on an event loop: the scheduler of the loop runs them."""

import asyncio
import contextlib
import gc

import anyio
import pytest

import asynq
from asynq import BatchBase, BatchItemBase, FutureBase, get_scheduler
from asynq.scheduler import AsyncTaskError


class Source:
    """A source of tenfold numbers, with the keys of its flushes."""

    def __init__(self, priority=None):
        self.flushes = []
        self.priority = priority
        self.open = Batch(self)


class Batch(BatchBase):
    def __init__(self, source):
        super().__init__()
        self.source = source

    def get_priority(self):
        return (0, len(self.items)) if self.source.priority is None else self.source.priority

    def _try_switch_active_batch(self):
        if self.source.open is self:
            self.source.open = Batch(self.source)

    def _flush(self):
        self.source.flushes.append([item.key for item in self.items])
        for item in self.items:
            item.set_value(10 * item.key)


class Item(BatchItemBase):
    def __init__(self, source, key):
        super().__init__(source.open)
        self.key = key


@asynq.asynq()
def tenfold(source, key):
    return (yield Item(source, key))


@asynq.asynq(allow_sync_call=True)
def may_block(source, key):
    return (yield Item(source, key))


@asynq.asynq()
def yields(x):
    return (yield x)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


@pytest.fixture
def source():
    return Source()


def on_loop(main):
    """Makes a test of a coroutine function."""

    def test(source):
        run(main(source))

    test.__name__ = main.__name__
    return test


# Calls


def test_asyncio_run_takes_a_call_that_was_made_before_the_loop_runs(source):
    assert asyncio.run(tenfold.asyncio(source, 1)) == 10


@on_loop
async def test_calls_begin_at_once(source):
    a, b = tenfold.asyncio(source, 1), tenfold.asyncio(source, 2)
    assert (await a, await b) == (10, 20)
    assert source.flushes == [[1, 2]]


@on_loop
async def test_a_call_can_be_awaited_any_number_of_times(source):
    call = tenfold.asyncio(source, 1)
    assert [await call, await call, *await asyncio.gather(call, call)] == [10] * 4
    assert source.flushes == [[1]]


@pytest.mark.parametrize(
    "wait",
    [
        asyncio.create_task,
        asyncio.ensure_future,
        asyncio.shield,
        lambda call: asyncio.wait_for(call, 30),
        lambda call: asyncio.gather(call),
        lambda call: next(iter(asyncio.as_completed([call]))),
    ],
)
def test_asyncio_takes_calls_for_coroutines_and_futures(source, wait):
    async def main():
        return await wait(tenfold.asyncio(source, 1))

    assert run(main()) in (10, [10])


def test_a_call_can_be_made_from_another_thread(source):
    async def main():
        loop = asyncio.get_running_loop()

        def submit():
            return asyncio.run_coroutine_threadsafe(tenfold.asyncio(source, 1), loop).result(30)

        return await loop.run_in_executor(None, submit)

    assert run(main()) == 10


@on_loop
async def test_an_error_is_raised_in_each_await(source):
    call = yields.asyncio(5)
    for _ in range(2):
        with pytest.raises(TypeError, match="Cannot unwrap"):
            await call


@on_loop
async def test_functions_and_coroutines_share_a_batch(source):
    async def coroutine(key):
        await asyncio.sleep(0)
        return await tenfold.asyncio(source, key)

    values = await asyncio.gather(coroutine(1), tenfold.asyncio(source, 2), coroutine(3))
    assert values == [10, 20, 30]
    assert [sorted(keys) for keys in source.flushes] == [[1, 2, 3]]


@on_loop
async def test_calls_that_some_turns_separate_share_a_batch(source):
    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await tenfold.asyncio(source, turns)

    await asyncio.gather(*map(after, range(4)))
    assert [sorted(keys) for keys in source.flushes] == [list(range(4))]


@on_loop
async def test_a_batch_is_flushed_although_something_can_always_run(source):
    async def spin():
        while True:
            await asyncio.sleep(0)

    spinning = asyncio.ensure_future(spin())
    assert await tenfold.asyncio(source, 1) == 10
    spinning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await spinning


@on_loop
async def test_the_batch_of_highest_priority_is_flushed_first(source):
    log = []
    sources = [Source(priority) for priority in (1, 3, 2)]
    for one in sources:
        one.flushes = log
    await asyncio.gather(*[tenfold.asyncio(one, one.priority) for one in sources])
    assert log == [[3], [2], [1]]


@on_loop
async def test_hooks_are_called(source):
    log = []
    scheduler = get_scheduler()
    scheduler.on_before_batch_flush.subscribe(lambda batch: log.append(len(batch.items)))
    await tenfold.asyncio(source, 1)
    assert log == [1]


@on_loop
async def test_the_scheduler_of_a_loop_knows_its_active_task(source):
    @asynq.asynq()
    def fn():
        yield None
        return get_scheduler().active_task.fn

    assert await fn.asyncio() is fn.fn


@on_loop
async def test_a_chain_may_be_long(source):
    @asynq.asynq()
    def chain(length):
        return 1 + (yield chain.asynq(length - 1)) if length else 0

    assert await chain.asyncio(10_000) == 10_000


@on_loop
async def test_a_value_that_a_coroutine_sets_wakes_a_task(source):
    future = FutureBase()
    call = yields.asyncio(future)
    await asyncio.sleep(0)
    future.set_value(1)
    assert await call == 1


@on_loop
async def test_a_value_that_a_thread_sets_wakes_a_task(source):
    future = FutureBase()
    call = yields.asyncio(future)
    await asyncio.sleep(0)
    await asyncio.get_running_loop().run_in_executor(None, future.set_value, 1)
    assert await call == 1


def test_tasks_of_two_loops_are_apart(source):
    assert [run(tenfold.asyncio(source, key)) for key in (1, 2)] == [10, 20]
    assert source.flushes == [[1], [2]]


# Deadlocks


def waits_for_itself():
    @asynq.asynq()
    def waits():
        return (yield tasks[0])

    tasks = []
    tasks.append(waits.asynq())
    return tasks[0]


@on_loop
async def test_a_task_that_waits_for_itself_fails(source):
    with pytest.raises(AsyncTaskError, match=r"can't be awaited by what it has called|deadlock"):
        await yields.asyncio(waits_for_itself())


@on_loop
async def test_tasks_that_wait_for_each_other_fail(source):
    @asynq.asynq()
    def first():
        return (yield tasks[1])

    @asynq.asynq()
    def second():
        return (yield tasks[0])

    tasks = [first.asynq(), second.asynq()]
    with pytest.raises(AsyncTaskError, match="deadlock"):
        await yields.asyncio(tasks)


# Synchronous calls


@on_loop
async def test_a_task_may_call_synchronously(source):
    @asynq.asynq()
    def calls():
        return may_block(source, 1), (yield Item(source, 2))

    assert await calls.asyncio() == (10, 20)


@on_loop
async def test_a_coroutine_may_call_synchronously(source):
    waiting = tenfold.asyncio(source, 1)
    await asyncio.sleep(0)
    assert may_block(source, 2) == 20
    assert await waiting == 10


@on_loop
async def test_the_tasks_of_a_synchronous_call_load_without_the_loop(source):
    @asynq.loader
    async def tenfold_later(keys):
        return [10 * key for key in keys]

    @asynq.asynq()
    def one(key):
        return (yield tenfold_later.asynq(key))

    @asynq.asynq(allow_sync_call=True)
    def all_of(keys):
        yield None
        return (yield [one.asynq(key) for key in keys])

    assert await one.asyncio(1) == 10
    assert all_of([2, 3]) == [20, 30]


@on_loop
async def test_a_synchronous_call_that_needs_the_loop_is_an_error(source):
    @asynq.asynq()
    def naps():
        yield asyncio.sleep(0)

    @asynq.asynq()
    def calls():
        return naps()

    with pytest.raises(RuntimeError, match=r"write `await f\.asyncio\(\.\.\.\)`"):
        await calls.asyncio()


# Cancellation


class Naps:
    """Async functions that wait for an event, and a log of their ends."""

    def __init__(self):
        self.log = []
        self.event = asyncio.Event()

    @asynq.asynq()
    def nap(self, name):
        try:
            return (yield self.event.wait())
        except asyncio.CancelledError:
            self.log.append(name)
            raise

    @asynq.asynq()
    def outer(self, name, awaited):
        try:
            return (yield awaited)
        except asyncio.CancelledError:
            self.log.append(name)
            raise


async def cancelled(task):
    with pytest.raises(asyncio.CancelledError):
        await task


@on_loop
async def test_cancelling_an_awaiting_task_cancels_what_it_awaits(source):
    naps = Naps()
    task = asyncio.create_task(naps.outer.asyncio("outer", naps.nap.asynq("inner")))
    await asyncio.sleep(0.001)
    task.cancel()
    await cancelled(task)
    assert naps.log == ["inner", "outer"]


@on_loop
async def test_what_somebody_else_awaits_goes_on(source):
    naps = Naps()
    shared = naps.nap.asynq("shared")
    first = asyncio.create_task(naps.outer.asyncio("first", shared))
    second = asyncio.create_task(naps.outer.asyncio("second", shared))
    await asyncio.sleep(0.001)
    first.cancel()
    await cancelled(first)
    naps.event.set()
    assert await second is True
    assert naps.log == ["first"]


@on_loop
async def test_a_call_that_two_coroutines_await_goes_on_for_the_other(source):
    naps = Naps()
    call = naps.nap.asyncio("call")

    async def wait():
        return await call

    first, second = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
    await asyncio.sleep(0.001)
    first.cancel()
    await cancelled(first)
    naps.event.set()
    assert await second is True
    assert naps.log == []


@on_loop
async def test_a_call_that_is_cancelled_before_it_begins_does_not_run(source):
    call = tenfold.asyncio(source, 1)
    assert call.cancel()
    await cancelled(call)
    await asyncio.sleep(0)
    assert call.cancelled()
    assert source.flushes == []


@on_loop
async def test_a_function_may_go_on_after_its_cancellation(source):
    @asynq.asynq()
    def stubborn():
        try:
            yield asyncio.Event().wait()
        except asyncio.CancelledError:
            return (yield Item(source, 1))

    task = asyncio.create_task(stubborn.asyncio())
    await asyncio.sleep(0.001)
    task.cancel()
    assert await task == 10


@on_loop
async def test_a_timeout_cancels(source):
    naps = Naps()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(naps.outer.asyncio("outer", [naps.nap.asynq("inner")]), 0.001)
    assert naps.log == ["inner", "outer"]


@on_loop
async def test_a_long_chain_is_cancelled(source):
    naps = Naps()

    @asynq.asynq()
    def chain(length):
        return (yield chain.asynq(length - 1) if length else naps.nap.asynq("innermost"))

    task = asyncio.create_task(chain.asyncio(10_000))
    await asyncio.sleep(0.001)
    while not get_scheduler()._tasks:
        await asyncio.sleep(0)
    task.cancel()
    await cancelled(task)
    assert naps.log == ["innermost"]


@on_loop
async def test_a_key_that_only_a_cancelled_task_waits_for_is_not_sent(source):
    sent = []

    @asynq.loader(max_delay=None)
    async def load(keys):
        sent.append(list(keys))
        return {key: key for key in keys}

    @asynq.asynq()
    def loads(*keys):
        return (yield [load.asynq(key) for key in keys])

    first, second = loads.asyncio(1, 2), loads.asyncio(2, 3)
    await asyncio.sleep(0)  # They wait, and the loop is not idle.
    first.cancel()
    assert await second == [2, 3]
    assert sent == [[2, 3]]


# Coroutines


def coroutine(fn):
    return asynq.asynq()(fn)


@on_loop
async def test_a_coroutine_has_a_current_task(source):
    @coroutine
    async def fn():
        before = asyncio.current_task()
        await asyncio.sleep(0)
        await Item(source, 1)
        return before is asyncio.current_task() is not None

    assert await fn.asyncio()


@on_loop
async def test_a_coroutine_may_await_anything_of_asyncio(source):
    @coroutine
    async def fn():
        await asyncio.sleep(0)
        a = await asyncio.ensure_future(asyncio.sleep(0, 1))
        b = await tenfold.asyncio(source, 1)
        return a, b, await asyncio.gather(tenfold.asyncio(source, 2), asyncio.sleep(0, 3))

    assert await fn.asyncio() == (1, 10, [20, 3])


@on_loop
async def test_a_cancel_scope_of_anyio_works_in_a_coroutine(source):
    @coroutine
    async def naps():
        await anyio.sleep(30)

    @coroutine
    async def fn():
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(30)
        with anyio.move_on_after(0.001) as other:
            await naps.asynq()
        return scope.cancelled_caught, other.cancelled_caught, await Item(source, 1)

    assert await fn.asyncio() == (True, True, 10)


if hasattr(asyncio, "timeout"):  # Since Python 3.11.

    @on_loop
    async def test_asyncio_timeout_works_in_a_coroutine(source):
        @coroutine
        async def fn():
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                return await Item(source, 1)

        assert await fn.asyncio() == 10

    @on_loop
    async def test_a_task_group_works_in_a_coroutine(source):
        @coroutine
        async def fn():
            async with asyncio.TaskGroup() as group:
                first = group.create_task(tenfold.asyncio(source, 1))
                second = group.create_task(tenfold.asyncio(source, 2))
            return first.result(), second.result()

        assert await fn.asyncio() == (10, 20)
        assert source.flushes == [[1, 2]]

    @on_loop
    async def test_an_error_in_a_task_group_cancels_the_coroutine(source):
        async def fails():
            raise KeyError

        @coroutine
        async def fn():
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.Event().wait()

        with pytest.raises(BaseExceptionGroup):  # noqa: F821
            await fn.asyncio()


# Event loops that tell when nothing else can run


def run_on(loop, coroutine):
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 30))
    finally:
        loop.close()


@pytest.mark.parametrize("turns", [0, 7])
def test_a_loop_of_asynq_knows_when_it_is_idle(source, turns):
    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await tenfold.asyncio(source, turns)

    async def main():
        return await asyncio.gather(after(turns), after(0))

    assert run_on(asynq.aio.new_event_loop(), main()) == [10 * turns, 0]
    assert source.flushes == [sorted([turns, 0])]


def test_a_loop_of_asynq_flushes_although_something_can_always_run(source):
    async def main():
        async def spin():
            while True:
                await asyncio.sleep(0)

        spinning = asyncio.ensure_future(spin())
        value = await tenfold.asyncio(source, 1)
        spinning.cancel()
        return value

    assert run_on(asynq.aio.new_event_loop(), main()) == 10


def test_a_loop_that_counts_its_callbacks_is_asked_each_turn(source):
    class Counting:
        """A module with a loop class, as uvloop is."""

        class Loop(asyncio.SelectorEventLoop):
            pass

    loop = asynq.aio.new_event_loop(Counting)
    assert run_on(loop, tenfold.asyncio(source, 1)) == 10


def test_a_call_ends_although_the_hook_of_its_task_raises():
    class Task(asynq.AsyncTask):
        def _computed(self):
            super()._computed()
            raise KeyError("_computed")

    @asynq.asynq(cls=Task)
    def twice(x):
        yield None
        return 2 * x

    @asynq.asynq()
    def plain(x):
        return (yield asynq.ConstFuture(x))

    async def main():
        reported = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        value = await asyncio.wait_for(twice.asyncio(2), 30)
        return value, await plain.asyncio(3), [repr(error) for error in reported]

    assert asyncio.run(main()) == (4, 3, ["KeyError('_computed')"])


def test_a_call_can_be_cancelled_although_the_hook_of_its_task_raises():
    class Task(asynq.AsyncTask):
        def _computed(self):
            super()._computed()
            raise KeyError("_computed")

    @asynq.asynq(cls=Task)
    async def never():
        await asyncio.Event().wait()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        call = asyncio.ensure_future(never.asyncio())
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(asyncio.wait_for(main(), 30))


# Errors that nobody retrieves


@asynq.asynq()
def fails():
    yield None
    raise KeyError("lost")


def reports_of(use):
    """Returns the reports to the loop when `use(call)` has a call that has failed."""
    reports = []

    async def main():
        handler = lambda loop, context: reports.append(context)  # noqa: E731
        asyncio.get_running_loop().set_exception_handler(handler)
        call = fails.asyncio()
        while not call.done():
            await asyncio.sleep(0)
        await use(call)
        del call
        gc.collect()

    run(main())
    return reports


async def awaits(call):
    with pytest.raises(KeyError):
        await call


async def gathers(call):
    await asyncio.gather(call, return_exceptions=True)


async def asks(call):
    call.exception()


async def yields_it(call):
    with pytest.raises(KeyError):
        await yields.asyncio(call)


async def forgets(call):
    assert not call.cancelled()


def test_an_error_that_nobody_retrieves_is_reported():
    [report] = reports_of(forgets)
    assert report["message"] == "AsyncioCall exception was never retrieved"
    assert repr(report["exception"]) == "KeyError('lost')"
    assert report["future"].fn is fails.fn


@pytest.mark.parametrize("use", [awaits, gathers, asks, yields_it])
def test_an_error_that_somebody_retrieves_is_not_reported(use):
    assert reports_of(use) == []


def test_the_error_of_a_load_that_nobody_retrieves_is_reported():
    reports = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
        load = asynq.Loader(lambda keys: {}, name="none").asyncio(1)
        while not load.done():
            await asyncio.sleep(0)

    run(main())
    gc.collect()
    assert [type(error) for error in reports] == [asynq.loaders.MissingKeyError]


def test_a_cancelled_call_is_not_reported():
    reports = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context))
        call = yields.asyncio(asyncio.sleep(30))
        await asyncio.sleep(0)
        call.cancel()
        while not call.done():
            await asyncio.sleep(0)

    run(main())
    gc.collect()
    assert reports == []
