"""`AsyncScopedValue` and `async_override`."""

import asyncio
import gc
import threading
import weakref

import pytest
from threads import in_thread

from asynq import AsyncContext, AsyncScopedValue, Loader, async_override, asynq
from asynq.batching import DebugBatchItem

SECONDS = 30


class Attribute:
    """An attribute with the methods of an `AsyncScopedValue`, overridden with `async_override`."""

    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value

    def set(self, value):
        self.value = value

    def override(self, value):
        return async_override(self, "value", value)


@pytest.fixture(params=[AsyncScopedValue, Attribute])
def scoped(request):
    return request.param("a")


def test_a_value_is_its_default():
    value = AsyncScopedValue("a")
    assert value.get() == value() == "a"


def test_a_value_can_be_set():
    value = AsyncScopedValue("a")
    value.set("b")
    assert value.get() == value() == "b"


def test_an_override_lasts_as_long_as_its_block(scoped):
    with scoped.override("b"):
        assert scoped.get() == "b"
    assert scoped.get() == "a"


def test_overrides_can_be_nested(scoped):
    with scoped.override("b"):
        with scoped.override("c"):
            assert scoped.get() == "c"
        assert scoped.get() == "b"
    assert scoped.get() == "a"


def test_an_override_ends_with_an_error(scoped):
    with pytest.raises(KeyError), scoped.override("b"):
        raise KeyError
    assert scoped.get() == "a"


def test_an_override_of_a_task_survives_waiting(scoped):
    @asynq()
    def fn():
        with scoped.override("b"):
            yield DebugBatchItem()
            inside = scoped.get()
        yield DebugBatchItem()
        return inside, scoped.get()

    assert fn() == ("b", "a")


def test_an_override_ends_with_an_error_after_waiting(scoped):
    @asynq()
    def fn():
        try:
            with scoped.override("b"):
                yield DebugBatchItem()
                raise KeyError
        except KeyError:
            yield DebugBatchItem()
        return scoped.get()

    assert fn() == "a"


def test_tasks_do_not_see_the_overrides_of_others(scoped):
    @asynq()
    def overriding(value):
        with scoped.override(value):
            yield DebugBatchItem()
            return scoped.get()

    @asynq()
    def not_overriding():
        yield DebugBatchItem()
        return scoped.get()

    @asynq()
    def all_of_them():
        return (yield overriding.asynq("b"), not_overriding.asynq(), overriding.asynq("c"))

    assert all_of_them() == ("b", "a", "c")
    assert scoped.get() == "a"


def test_tasks_see_the_overrides_of_those_that_wait_for_them(scoped):
    @asynq()
    def inner(value):
        before = scoped.get()
        yield DebugBatchItem()
        with scoped.override(value):
            yield DebugBatchItem()
            inside = scoped.get()
        yield DebugBatchItem()
        return before, inside, scoped.get()

    @asynq()
    def outer(value, inner_value):
        with scoped.override(value):
            return (yield inner.asynq(inner_value))

    @asynq()
    def both():
        return (yield outer.asynq("b", "B"), outer.asynq("c", "C"))

    assert both() == (("b", "B", "b"), ("c", "C", "c"))


def test_a_batch_is_flushed_without_the_overrides_of_tasks(scoped):
    seen = []

    class Peeking(DebugBatchItem):
        def __init__(self):
            super().__init__(batch_name="peeking")
            self.batch.on_computed.subscribe(lambda batch: seen.append(scoped.get()))

    @asynq()
    def fn():
        with scoped.override("b"):
            yield Peeking()

    fn()
    assert seen == ["a"]


def test_a_value_set_inside_an_override_lasts_until_the_task_waits(scoped):
    @asynq()
    def fn():
        with scoped.override("b"):
            scoped.set("x")
            before = scoped.get()
            yield DebugBatchItem()
            return before, scoped.get()

    assert fn() == ("x", "b")
    assert scoped.get() == "a"


def test_overriding_an_attribute_that_is_missing_is_an_attribute_error():
    with pytest.raises(AttributeError), async_override(object(), "missing", 1):
        raise NotImplementedError


def test_the_texts_of_a_value():
    value = AsyncScopedValue("a")
    assert str(value) == "AsyncScopedValue(a)"
    assert repr(value) == "AsyncScopedValue('a')"


def test_the_text_of_an_override():
    value = AsyncScopedValue("a")
    assert repr(value.override("b")) == (
        "_AsyncScopedValueOverrideContext(target=AsyncScopedValue('a'), value='b')"
    )


def test_the_text_of_an_override_of_an_attribute():
    value = AsyncScopedValue("a")
    assert repr(async_override(value, "_value", "b")) == (
        "_AsyncPropertyOverrideContext(target=AsyncScopedValue('a'), property_name='_value',"
        " value='b')"
    )


# Threads and coroutines.


@pytest.fixture
def value():
    return AsyncScopedValue("a")


def test_an_override_in_a_thread_is_not_visible_in_others(value):
    def overrides():
        with value.override("b"):
            seen.append(in_thread(value.get))
            is_inside.set()
            assert goes_on.wait(SECONDS)
            seen.append(value.get())

    seen, is_inside, goes_on = [], threading.Event(), threading.Event()
    thread = threading.Thread(target=overrides)
    thread.start()
    assert is_inside.wait(SECONDS)
    seen.append(value.get())
    with value.override("c"):
        goes_on.set()
        thread.join()
        seen.append(value.get())
    assert seen == ["a", "a", "b", "c"]
    assert value.get() == "a"


def test_an_override_in_a_blocking_function_is_visible_only_there(value):
    is_inside, goes_on = threading.Event(), threading.Event()

    def load(keys):
        with value.override("worker"):
            is_inside.set()
            assert goes_on.wait(SECONDS)
            return {key: value.get() for key in keys}

    loader, plain = Loader(load, blocking=True, priority=1), Loader(list)

    @asynq()
    def other():
        yield plain.asynq(1)
        assert is_inside.wait(SECONDS)
        before = value.get()
        with value.override("task"):
            goes_on.set()
            yield plain.asynq(2)
            return before, value.get()

    @asynq()
    def main():
        return (yield loader.asynq(1), other.asynq())

    assert main() == ("worker", ("a", "task"))
    assert value.get() == "a"


def test_a_coroutine_does_not_see_the_overrides_of_others(value):
    async def overrides(is_inside, goes_on):
        with value.override("b"):
            is_inside.set()
            await goes_on.wait()
            return value.get()

    async def looks(is_inside, goes_on):
        await is_inside.wait()
        try:
            with value.override("c"):
                return value.get()
        finally:
            goes_on.set()

    async def main():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(overrides(*events), looks(*events))

    assert asyncio.run(main()) == ["b", "c"]
    assert value.get() == "a"


def test_a_value_that_is_set_is_not_visible_in_other_threads(value):
    value.set("b")
    in_thread(value.set, "c")
    assert (value.get(), in_thread(value.get)) == ("b", "a")


def test_a_value_that_a_coroutine_sets_is_not_visible_in_others(value):
    async def request(name):
        value.set(name)
        await asyncio.sleep(0)
        return value.get()

    async def main():
        return await asyncio.gather(request("b"), request("c"))

    assert asyncio.run(main()) == ["b", "c"]
    assert value.get() == "a"


def test_a_value_set_in_an_override_of_a_thread_is_not_visible_in_others(value):
    def overrides():
        with value.override("b"):
            value.set("c")
            return value.get(), in_thread(value.get)

    assert in_thread(overrides) == ("c", "a")
    assert value.get() == "a"


def test_many_values_can_be_made_while_others_load():
    ends = threading.Event()

    def makes():
        while not ends.is_set():
            [AsyncScopedValue(1) for _ in range(50)]

    thread = threading.Thread(target=makes)
    thread.start()
    try:
        loader = Loader(list, blocking=True)
        assert [loader(key) for key in range(200)] == list(range(200))
    finally:
        ends.set()
        thread.join()


def test_a_value_that_is_not_hashable_can_be_overridden():
    class Equal(AsyncScopedValue):
        def __eq__(self, other):
            return self.get() == other

    value = Equal("a")
    with value.override("b"):
        assert value == "b"
        assert Loader(lambda keys: [value.get() for _ in keys], blocking=True)(1) == "b"
    assert value == "a"


def test_a_value_and_its_overrides_are_garbage_after_the_block():
    value = AsyncScopedValue("a")
    with value.override("b") as override:
        pass
    references = weakref.ref(value), weakref.ref(override)
    del value, override
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_context_whose_resume_fails_is_not_entered(log):
    class Failing(AsyncContext):
        def resume(self):
            log.append("resume")
            raise KeyError

        def pause(self):
            log.append("pause")

    @asynq()
    def main():
        try:
            with Failing():
                raise AssertionError("it was entered")
        except KeyError:
            pass
        yield DebugBatchItem()

    main()
    assert log == ["resume"]
