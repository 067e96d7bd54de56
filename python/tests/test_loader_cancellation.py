"""Cancelling the coroutines that wait for a key."""

import asyncio

import pytest

import asynq
from asynq.loaders import Loader

KINDS = ["coroutine", "task"]


class Recorder:
    """A loader whose function waits until `goes_on` is set, and the list of what happened to it."""

    def __init__(self, kind="coroutine", **settings):
        self.log = []
        self.goes_on = asyncio.Event()

        async def wait(keys):
            self.log.append(list(keys))
            try:
                await self.goes_on.wait()
            except asyncio.CancelledError:
                self.log.append("cancelled")
                raise
            self.log.append("finished")
            return list(keys)

        @asynq.asynq()
        def task(keys):
            return (yield wait_in_asyncio_mode.asynq(keys))

        @asynq.asynq(asyncio_fn=wait)
        def wait_in_asyncio_mode(keys):
            yield None

        self.loader = Loader(wait if kind == "coroutine" else task, **settings)

    def ask(self, *keys):
        return [asyncio.ensure_future(self.loader.asyncio(key)) for key in keys]


async def turns(count=30):
    for _ in range(count):
        await asyncio.sleep(0)


async def cancel(*waiting):
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await turns()


def run(main):
    return asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_one_that_is_cancelled_cancels_the_function(kind):
    async def main():
        recorder = Recorder(kind)
        first, again, second = recorder.ask(1, 1, 2)
        await turns()
        await cancel(first)
        await cancel(second)
        before = list(recorder.log)
        await cancel(again)
        return before, recorder.log

    assert run(main) == ([[1, 2]], [[1, 2], "cancelled"])


def test_a_key_that_nobody_waits_for_is_not_sent():
    async def main():
        recorder = Recorder()
        first, second = recorder.ask(1, 2)
        await asyncio.sleep(0)
        first.cancel()
        recorder.goes_on.set()
        return await second, recorder.log

    assert run(main) == (2, [[2], "finished"])


def test_a_batch_that_nobody_waits_for_is_not_sent():
    async def main():
        recorder = Recorder()
        (first,) = recorder.ask(1)
        await asyncio.sleep(0)
        await cancel(first)
        sent = list(recorder.log)
        recorder.goes_on.set()
        return sent, await recorder.loader.asyncio(1), recorder.log

    assert run(main) == ([], 1, [[1], "finished"])


def test_who_asks_after_the_cancellation_gets_a_value():
    async def main():
        recorder = Recorder(cache=True)
        (first,) = recorder.ask(1)
        await turns()
        first.cancel()
        await asyncio.sleep(0)
        (second,) = recorder.ask(1)
        recorder.goes_on.set()
        return await second, recorder.log, recorder.loader.stats.batches

    assert run(main) == (1, [[1], "cancelled", [1], "finished"], 2)


def test_who_asks_before_the_cancellation_keeps_the_function_running():
    async def main():
        recorder = Recorder()
        (first,) = recorder.ask(1)
        await turns()
        (second,) = recorder.ask(1)
        await cancel(first)
        recorder.goes_on.set()
        return await second, recorder.log

    assert run(main) == (1, [[1], "finished"])


def test_each_part_of_a_batch_is_cancelled_by_itself():
    async def main():
        recorder = Recorder(max_batch_size=1)
        first, second = recorder.ask(1, 2)
        await turns()
        await cancel(first)
        before = list(recorder.log)
        recorder.goes_on.set()
        return before, await second

    assert run(main) == ([[1], [2], "cancelled"], 2)


def test_a_part_that_waits_for_a_permit_is_not_sent_when_nobody_waits_for_it():
    async def main():
        recorder = Recorder(max_batch_size=1, max_in_flight=1)
        first, second, third = recorder.ask(1, 2, 3)
        await turns()
        await cancel(second)
        recorder.goes_on.set()
        values = await first, await third
        return values, recorder.log, recorder.loader.stats.batches

    assert run(main) == ((1, 3), [[1], "finished", [3], "finished"], 2)


def test_a_timeout_of_the_caller_cancels_the_function():
    async def main():
        recorder = Recorder()
        (load,) = recorder.ask(1)
        await turns()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(load, 0.01)
        await turns()
        return recorder.log

    assert run(main) == [[1], "cancelled"]


def test_thousands_of_loads_are_cancelled_together():
    async def main():
        recorder = Recorder()
        waiting = recorder.ask(*range(3000))
        await turns()
        await cancel(*waiting)
        return recorder.log[1:]

    assert run(main) == ["cancelled"]
