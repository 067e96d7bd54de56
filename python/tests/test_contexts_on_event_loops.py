"""Contexts, scoped values and context variables on an event loop: those of each request."""

import asyncio
import contextvars

import pytest

import asynq
from asynq import AsyncContext, AsyncScopedValue
from asynq.batching import DebugBatchItem
from asynq.loaders import Loader

name = contextvars.ContextVar("name", default="nobody")
scoped = AsyncScopedValue("outside")


def run_all(*functions):
    """Runs async functions on one event loop at once, each as a request of its own."""

    async def main():
        return await asyncio.gather(*(function.asyncio(*args) for function, *args in functions))

    return asyncio.run(main())


@asynq.asynq()
def read():
    yield DebugBatchItem()
    return name.get(), scoped.get()


def test_a_request_sees_its_own_override_after_each_wait():
    @asynq.asynq()
    def request(value):
        with scoped.override(value):
            seen = [scoped.get()]
            yield DebugBatchItem()
            seen.append(scoped.get())
            seen.append((yield read.asynq())[1])
        yield DebugBatchItem()
        return [*seen, scoped.get()]

    answers = run_all((request, "a"), (request, "b"), (request, "c"))
    assert answers == [[value] * 3 + ["outside"] for value in "abc"]
    assert scoped.get() == "outside"


def test_an_override_is_seen_by_a_task_that_was_made_before():
    @asynq.asynq()
    def request(value):
        task = read.asynq()
        with scoped.override(value):
            return (yield task)

    assert run_all((request, "a"), (request, "b")) == [("nobody", "a"), ("nobody", "b")]


def test_an_override_is_not_seen_by_a_task_that_outlives_it():
    @asynq.asynq()
    def request(value):
        with scoped.override(value):
            task = read.asynq()
        return (yield task)

    assert run_all((request, "a"), (request, "b")) == [("nobody", "outside")] * 2


def test_a_task_sees_the_overrides_of_the_coroutine_that_awaits_it():
    async def request(value):
        with scoped.override(value):
            return await read.asyncio()

    async def main():
        return await asyncio.gather(request("a"), read.asyncio(), request("b"))

    assert [seen for _, seen in asyncio.run(main())] == ["a", "outside", "b"]


def test_an_override_of_a_task_is_inside_of_that_of_its_coroutine():
    @asynq.asynq()
    def task():
        before = scoped.get()
        with scoped.override("task"):
            inside = yield read.asynq()
        yield DebugBatchItem()
        return before, inside[1], scoped.get()

    async def request(value):
        with scoped.override(value):
            return await task.asyncio()

    async def main():
        return await asyncio.gather(request("a"), request("b"))

    assert asyncio.run(main()) == [("a", "task", "a"), ("b", "task", "b")]


def test_a_context_is_active_only_while_its_request_runs():
    active, seen = [], []

    class Entered(AsyncContext):
        def __init__(self, value):
            self.value = value

        def resume(self):
            active.append(self.value)

        def pause(self):
            active.remove(self.value)

    @asynq.asynq()
    def request(value):
        with Entered(value):
            for _ in range(3):
                seen.append((value, list(active)))
                yield DebugBatchItem()

    run_all((request, "a"), (request, "b"))
    assert seen == [(value, [value]) for value, _ in seen]
    assert len(seen) == 6
    assert active == []


def test_what_a_task_sets_is_its_own():
    @asynq.asynq()
    def request(value):
        before = name.get()
        token = name.set(value)
        yield DebugBatchItem()
        inside = (yield read.asynq())[0]
        name.reset(token)
        yield DebugBatchItem()
        return before, inside, name.get()

    answers = run_all((request, "a"), (request, "b"))
    assert answers == [("nobody", "a", "nobody"), ("nobody", "b", "nobody")]


def test_a_task_starts_with_the_variables_of_the_coroutine_that_makes_it():
    @asynq.asynq()
    def sets():
        before = name.get()
        name.set("task")
        yield DebugBatchItem()
        return before, name.get()

    async def request(value):
        name.set(value)
        return await sets.asyncio(), name.get()

    async def main():
        return await asyncio.gather(request("a"), request("b"))

    assert asyncio.run(main()) == [(("a", "task"), "a"), (("b", "task"), "b")]


def test_tasks_of_two_requests_that_share_a_batch_keep_their_variables():
    loader = Loader(lambda keys: [name.get() for _ in keys])

    @asynq.asynq()
    def page(key):
        return (yield loader.asynq(key)), name.get(), (yield read.asynq())[0]

    async def request(value):
        name.set(value)
        return await page.asyncio(value)

    async def main():
        return await asyncio.gather(request("a"), request("b"))

    assert asyncio.run(main()) == [("nobody", "a", "a"), ("nobody", "b", "b")]
    assert loader.stats.batches == 1


def test_tasks_belong_to_the_request_of_their_coroutine():
    calls = []
    loader = Loader(lambda keys: (calls.append(list(keys)), keys)[1])

    @asynq.asynq()
    def page(keys):
        yield [loader.asynq(key) for key in keys]
        return (yield [loader.asynq(key) for key in keys])

    async def request(*keys):
        async with asynq.request():
            return await page.asyncio(keys)

    async def main():
        return await asyncio.gather(request(1, 2), request(1), page.asyncio([3]))

    assert asyncio.run(main()) == [[1, 2], [1], [3]]
    assert sorted(calls) == [[1], [1, 2], [3], [3]]


def test_a_task_may_be_a_request_of_its_own():
    calls = []
    loader = Loader(lambda keys: (calls.append(list(keys)), keys)[1])

    @asynq.asynq()
    def page(key):
        return (yield loader.asynq(key)), asynq.request.current() is not None

    @asynq.asynq()
    def request(key):
        with asynq.request():
            inside = yield [page.asynq(key) for _ in range(2)]
        return inside, (yield page.asynq(key))

    answers = run_all((request, 1), (request, 1))
    assert answers == [([(1, True)] * 2, (1, False))] * 2
    assert calls == [[1], [1], [1]]


class Fragile(AsyncContext):
    """A context that fails at its n-th pause."""

    def __init__(self, pause):
        self.pauses = pause

    def resume(self):
        pass

    def pause(self):
        self.pauses -= 1
        if self.pauses == 0:
            raise KeyError("pause")


@pytest.mark.parametrize("pause", [1, 2, 3, 4])
def test_a_task_whose_context_cannot_be_paused_fails_while_it_waits_for_a_flight(pause):
    @Loader
    def load(keys):
        return keys

    @asynq.asynq()
    def wait():
        with Fragile(pause):
            yield load.asynq(1)
            yield load.asynq(2)

    @asynq.asynq()
    def other():
        return (yield load.asynq(3))

    async def main():
        return await asyncio.gather(wait.asyncio(), other.asyncio(), return_exceptions=True)

    error, value = asyncio.run(main())
    assert isinstance(error, KeyError)
    assert value == 3
