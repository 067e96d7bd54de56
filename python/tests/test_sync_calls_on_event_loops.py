"""Synchronous calls on a running event loop, which block it."""

import asyncio
import warnings

import pytest

import asynq
from asynq.asynq_to_async import NoAsyncioMode
from asynq.batching import DebugBatchItem


def new_function(**options):
    @asynq.asynq(**options)
    def page():
        return (yield DebugBatchItem(result=1))

    return page


def new_loader():
    @asynq.loader
    def user(ids):
        return ids

    return user


def warnings_of(function):
    """Calls a function on an event loop. Returns the warnings."""

    async def main():
        function()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
    return caught


def test_a_call_that_blocks_the_loop_warns():
    [warning] = warnings_of(new_function())
    assert warning.category is RuntimeWarning
    assert "page is called synchronously on a running event loop" in str(warning.message)


def test_the_warning_says_what_to_write():
    page = new_function()
    [warning] = warnings_of(page)
    name = page.__qualname__
    assert f"write `await {name}.asyncio(...)`, or `yield {name}.asynq(...)`" in str(
        warning.message
    )


def test_the_warning_names_the_line_of_the_call():
    page = new_function()

    def call():
        page()

    [warning] = warnings_of(call)
    assert warning.filename == __file__
    assert warning.lineno == call.__code__.co_firstlineno + 1


def test_a_function_warns_once():
    page = new_function()
    assert len(warnings_of(lambda: [page(), page()])) == 1
    assert warnings_of(page) == []


def test_a_function_warns_once_although_others_have():
    assert len(warnings_of(lambda: [new_function()(), new_function()()])) == 2


def test_the_outermost_call_is_named():
    inner = new_function()

    @asynq.asynq()
    def outer():
        return inner()

    [warning] = warnings_of(outer)
    assert str(warning.message).startswith(outer.__qualname__ + " is called")


def test_a_call_in_a_task_of_the_loop_is_named():
    inner = new_function()

    @asynq.asynq()
    def outer():
        return inner()

    with pytest.warns(RuntimeWarning) as caught:
        asyncio.run(outer.asyncio())
    assert str(caught[0].message).startswith(inner.__qualname__ + " is called")


def test_a_call_of_a_loader_warns():
    user = new_loader()
    [warning] = warnings_of(lambda: user(1))
    assert "new_loader.<locals>.user is called" in str(warning.message)


def test_the_value_of_a_task_warns():
    page = new_function()
    assert len(warnings_of(lambda: page.asynq().value())) == 1


def test_a_warning_that_is_raised_ends_the_call():
    page = new_function()

    async def main():
        with pytest.raises(RuntimeWarning, match="page is called"):
            page()
        return page()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(main()) == 1


def test_a_call_that_has_not_to_wait_does_not_warn():
    @asynq.asynq()
    def one():
        return 1

    @asynq.asynq()
    def page():
        return (yield one.asynq())

    assert warnings_of(page) == []


def test_a_call_without_a_loop_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert new_function()() == 1


class HasMethod:
    @asynq.asynq(allow_sync_call=True)
    def method(self):
        return (yield DebugBatchItem(result=1))


def allowed_loader():
    user = new_loader()
    user.allow_sync_call = True
    return lambda: user(1)


@pytest.mark.parametrize(
    "function",
    [
        new_function(allow_sync_call=True),
        HasMethod().method,
        asynq.async_proxy(allow_sync_call=True)(new_function().asynq),
        allowed_loader(),
    ],
)
def test_an_allowed_call_does_not_warn(function):
    assert warnings_of(function) == []


def test_a_call_inside_of_an_allowed_one_does_not_warn():
    inner = new_function()

    @asynq.asynq(allow_sync_call=True)
    def outer():
        return inner()

    assert warnings_of(outer) == []


def test_a_call_after_an_allowed_one_warns():
    allowed, page = new_function(allow_sync_call=True), new_function()
    assert len(warnings_of(lambda: [allowed(), page()])) == 1


def test_a_block_can_allow_calls():
    page = new_function()

    def call():
        with NoAsyncioMode():
            page()

    assert warnings_of(call) == []


@pytest.mark.parametrize("flushes", [False, True])
def test_a_handler_of_the_warning_may_load_from_the_same_source(monkeypatch, flushes):
    user = new_loader()
    loads = []

    def show(*_):
        loads.append(user.asynq(2) if not flushes else user(2))

    @asynq.asynq()
    def page():
        first = yield user.asynq(1)
        return first, loads[0] if flushes else (yield loads[0])

    async def main():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            monkeypatch.setattr(warnings, "showwarning", show)
            return page()

    assert asyncio.run(main()) == (1, 2)
    assert user.stats.batches == 1


def test_the_call_of_a_loader_raises_its_warning_if_that_is_an_error():
    """It was lost, because the load had its value nevertheless."""
    user = new_loader()

    async def main():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):
                user(1)

    asyncio.run(main())


def test_a_call_whose_warning_is_an_error_leaves_the_loads_of_others():
    user = new_loader()

    @asynq.asynq()
    def page(load):
        return (yield load)

    async def main():
        load = user.asynq(1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):
                page(load)
        return page(load)

    assert asyncio.run(main()) == 1


class Slotted:
    __slots__ = ()

    async def __call__(self):
        return await DebugBatchItem(result=1)


class Unhashable(Slotted):
    __hash__ = None


@pytest.mark.parametrize("function", [Slotted(), Unhashable()])
def test_an_object_that_no_set_can_hold_warns_like_a_function(function):
    page = asynq.asynq()(function)
    [warning] = warnings_of(page)
    assert "is called synchronously on a running event loop" in str(warning.message)
