"""The coroutine of a batch function takes its first step where its batch is flushed."""

import asyncio
import contextvars
import sys

import pytest

import asynq
from asynq import AsyncContext, LoadError

tenant = contextvars.ContextVar("tenant", default=None)


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts its turns."""

    turns = 0

    def _run_once(self):
        self.turns += 1
        super()._run_once()


def turns_of(loader, keys):
    """Returns the number of turns of the loop from the first load to the values of all."""
    loop = CountingLoop()

    async def load():
        before = loop.turns
        await asyncio.gather(*[loader.asyncio(key) for key in keys])
        return loop.turns - before

    try:
        return loop.run_until_complete(load())
    finally:
        loop.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from 3.12 on")
def test_a_function_that_never_waits_answers_in_the_turn_of_its_flush():
    @asynq.loader
    async def double(keys):
        return [2 * key for key in keys]

    @asynq.loader
    async def double_later(keys):
        await asyncio.sleep(0)
        return [2 * key for key in keys]

    # One in which the loads are flushed, and one in which the task of the caller goes on.
    assert turns_of(double, range(6)) == 2
    assert turns_of(double_later, range(6)) > 2


def test_a_task_factory_makes_the_task():
    made = []

    def factory(loop, coroutine, **options):
        made.append(asyncio.Task(coroutine, loop=loop, **options))
        return made[-1]

    @asynq.loader
    async def current(keys):
        return [asyncio.current_task()] * len(keys)

    async def load():
        asyncio.get_running_loop().set_task_factory(factory)
        return await current.asyncio(1)

    assert asyncio.run(load()) in made


def test_all_steps_have_one_task_and_one_context():
    seen = []

    def look():
        task = asyncio.current_task()
        seen.append((task, task in asyncio.all_tasks(), tenant.get()))

    @asynq.loader
    async def double(keys):
        look()
        tenant.set("its own")
        await asyncio.sleep(0)
        look()
        return [2 * key for key in keys]

    async def load():
        tenant.set("the caller's")
        value = await double.asyncio(4)
        return value, asyncio.current_task(), tenant.get()

    value, caller, left = asyncio.run(load())
    (first, first_is_known, _), (second, second_is_known, _) = seen
    assert value == 8
    assert first is second
    assert first is not caller
    assert first_is_known
    assert second_is_known
    assert [variable for *_, variable in seen] == [None, "its own"]
    assert left == "the caller's"


def test_a_function_that_waits_holds_up_no_other():
    events = []

    def make(name, other):
        @asynq.loader(name=name)
        async def load(keys):
            events.append(f"{name} begins")
            started[name].set()
            await started[other].wait()
            events.append(f"{name} ends")
            return keys

        return load

    first, second = make("first", "second"), make("second", "first")
    started = {}

    async def load():
        started.update(first=asyncio.Event(), second=asyncio.Event())
        return await asyncio.gather(first.asyncio(1), second.asyncio(2))

    assert asyncio.run(load()) == [1, 2]
    assert sorted(events[:2]) == ["first begins", "second begins"]


def test_no_context_of_a_task_is_active_in_the_first_step():
    active = []

    class Mark(AsyncContext):
        def resume(self):
            active.append(self)

        def pause(self):
            active.remove(self)

    seen = []

    @asynq.loader
    async def double(keys):
        seen.append(list(active))
        await asyncio.sleep(0)
        seen.append(list(active))
        return [2 * key for key in keys]

    @asynq.asynq()
    def within(key):
        with Mark():
            return (yield double.asynq(key))

    assert asyncio.run(within.asyncio(4)) == 8
    assert seen == [[], []]
    assert active == []


def test_an_error_before_the_first_wait_fails_the_loads():
    @asynq.loader
    async def fails(keys):
        raise ValueError("nothing there")

    async def load():
        return await asyncio.gather(*map(fails.asyncio, range(2)), return_exceptions=True)

    errors = asyncio.run(load())
    assert [type(error) for error in errors] == [LoadError, LoadError]
    assert all(isinstance(error.__cause__, ValueError) for error in errors)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_before_the_first_wait_ends_the_loop(error):
    @asynq.loader
    async def interrupted(keys):
        raise error

    with pytest.raises(error):
        asyncio.run(interrupted.asyncio(1))


def test_a_caller_that_is_cancelled_in_the_first_step_cancels_the_function():
    ends = []

    @asynq.loader
    async def cancels(keys):
        callers[0].cancel()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        return keys

    callers = []

    async def call():
        return await cancels.asyncio(1)

    async def load():
        callers.append(asyncio.ensure_future(call()))
        await asyncio.wait(callers)
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(load())
    assert callers[0].cancelled()
    assert ends == ["cancelled"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout() is new in 3.11")
def test_a_timeout_that_begins_in_the_first_step_ends_the_function():
    @asynq.loader
    async def slow(keys):
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(30)
        except TimeoutError:
            return ["late" for _ in keys]

    assert asyncio.run(slow.asyncio(1)) == "late"


def test_a_function_may_load_and_call_before_its_first_wait():
    @asynq.loader
    async def square(keys):
        return [key * key for key in keys]

    @asynq.loader
    async def square_of_next(keys):
        return await asyncio.gather(*[square.asyncio(key + 1) for key in keys])

    async def load():
        return await asyncio.gather(*map(square_of_next.asyncio, range(3)))

    assert asyncio.run(load()) == [1, 4, 9]
