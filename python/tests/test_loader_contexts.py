"""The contexts and context variables that the function of a loader sees: nobody's in particular."""

import asyncio
import contextvars

import pytest

from asynq import AsyncScopedValue, NonAsyncContext, asynq
from asynq.loaders import Loader
from asynq.tools import AsyncTimer

tenant = contextvars.ContextVar("tenant")

KINDS = ["plain", "blocking", "async def", "async def in a plain function"]


def new_loader(kind, read):
    """Returns a loader whose values are what `read()` returns in its function."""

    def function(keys):
        return [read() for _ in keys]

    async def coroutine(keys):
        await asyncio.sleep(0)
        return function(keys)

    if kind == "async def":
        return Loader(coroutine)
    if kind == "async def in a plain function":
        return Loader(lambda keys: coroutine(keys))
    return Loader(function, blocking=kind == "blocking")


def defined_as(name, make):
    """Calls `make` where the tenant is `name`."""

    def run():
        tenant.set(name)
        return make()

    return contextvars.copy_context().run(run)


def read():
    return tenant.get("nobody")


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_sees_the_variables_of_its_definition_on_a_thread(kind):
    loader = defined_as("definition", lambda: new_loader(kind, read))
    assert defined_as("caller", lambda: loader(1)) == "definition"


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_sees_the_variables_of_its_definition_on_an_event_loop(kind):
    loader = new_loader(kind, read)

    async def request(name):
        tenant.set(name)
        return await loader.asyncio(name)

    async def main():
        return await asyncio.gather(request("alice"), request("bob"))

    assert asyncio.run(main()) == ["nobody", "nobody"]


def test_an_async_function_sees_the_variables_of_its_definition_on_an_event_loop():
    @asynq()
    def function(keys):
        return [read() for _ in keys]

    loader = Loader(function)

    async def request(name):
        tenant.set(name)
        return await loader.asyncio(name)

    async def main():
        return await asyncio.gather(request("alice"), request("bob"))

    assert asyncio.run(main()) == ["nobody", "nobody"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_sees_the_scoped_values_of_its_definition(kind):
    value = AsyncScopedValue("outside")
    with value.override("definition"):
        loader = new_loader(kind, value.get)
    assert loader(1) == "definition"
    with value.override("caller"):
        assert loader(2) == "definition"


@pytest.mark.parametrize("kind", KINDS)
def test_a_variable_that_a_function_sets_is_gone_after_the_call(kind):
    def read_and_set():
        before = tenant.get("nobody")
        tenant.set("a call before")
        return before

    loader = new_loader(kind, read_and_set)
    assert [loader(1), loader(2)] == ["nobody", "nobody"]
    assert tenant.get("nobody") == "nobody"


def test_loaders_of_instances_see_the_variables_of_the_class():
    class Store:
        @Loader
        def user(self, keys):
            return [read() for _ in keys]

    assert defined_as("caller", lambda: Store().user(1)) == "nobody"


@asynq()
def load_in(context, loader, key):
    with context:
        return (yield loader.asynq(key))


def test_a_flush_of_a_loader_sees_the_contexts_that_are_common_to_all_who_wait(context, log):
    loader = Loader(lambda keys: (log.append(keys), keys)[1])

    @asynq()
    def main():
        with context("both"):
            return (
                yield (
                    load_in.asynq(context("a"), loader, 1),
                    load_in.asynq(context("b"), loader, 2),
                )
            )

    assert main() == (1, 2)
    flushed = log.index([1, 2])
    assert log[:flushed] == ["+both", "+a", "-a", "+b", "-b"]


def test_a_flush_for_a_task_that_two_share_sees_nothing_of_the_first(context, log):
    loader = Loader(lambda keys: (log.append(keys), keys)[1])

    @asynq()
    def shared():
        return (yield loader.asynq(1))

    @asynq()
    def wait_in(name, task):
        with context(name):
            return (yield task)

    @asynq()
    def main():
        task = shared.asynq()
        return (yield wait_in.asynq("a", task), wait_in.asynq("b", task))

    assert main() == (1, 1)
    assert log[: log.index([1])] == ["+a", "-a", "+b", "-b"]


def test_a_key_that_nobody_waits_for_yet_counts(context, log):
    loader, other = (Loader(lambda keys: (log.append(keys), keys)[1]) for _ in range(2))
    first = Loader(list, priority=1)

    @asynq()
    def prefetches():
        load = loader.asynq(1)
        yield first.asynq(1)
        yield other.asynq(1)
        return (yield load)

    @asynq()
    def main():
        return (yield prefetches.asynq(), load_in.asynq(context("b"), loader, 2))

    assert main() == (1, 2)
    flushed = log.index([1, 2])
    assert log[:flushed] == ["+b", "-b"]


def test_a_timer_does_not_count_a_flush_of_a_loader(monkeypatch):
    now = [0]
    monkeypatch.setattr("asynq.tools.utime", lambda: now[0])

    def load(keys):
        now[0] += 1000
        return keys

    timer = AsyncTimer()
    load_in(timer, Loader(load), 1)
    assert timer.total_time == 0


def test_a_task_must_not_wait_for_a_loader_in_a_non_async_context():
    with pytest.raises(AssertionError, match="cannot yield"):
        load_in(NonAsyncContext(), Loader(list), 1)
