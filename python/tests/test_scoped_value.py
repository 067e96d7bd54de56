"""`AsyncScopedValue` and `async_override`."""

import pytest

from asynq import AsyncScopedValue, async_override, asynq
from asynq.batching import DebugBatchItem


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
