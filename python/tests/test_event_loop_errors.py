"""Errors of calls on an event loop: the loop reports each error that nobody retrieves."""

import asyncio
import gc

import pytest
from event_loop_source import run, yields

import asynq

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


# Hooks of tasks that raise


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
