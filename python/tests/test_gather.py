"""`asynq.gather`: several awaitables as one."""

import gc
import weakref

import pytest

from asynq import AsyncTask, ConstFuture, ErrorFuture, FutureBase, asynq, gather
from asynq.batching import DebugBatchItem


@asynq()
async def double(x):
    return await DebugBatchItem(result=2 * x)


@asynq()
async def fails(x):
    await double.asynq(x)
    raise KeyError(x)


def run(*awaitables, **options):
    """Returns what an async function gets that awaits them together."""

    @asynq()
    async def fn():
        return await gather(*awaitables, **options)

    return fn()


def test_the_value_is_a_list_in_the_order_given():
    assert run(double.asynq(1), ConstFuture(5), DebugBatchItem(result=3)) == [2, 5, 3]


def test_nothing_is_gathered_at_once():
    assert run() == []


def test_one_argument_is_a_list_of_one():
    assert run(double.asynq(1)) == [2]
    assert run([double.asynq(1)]) == [[2]]


def test_structures_keep_their_shape():
    awaitables = [double.asynq(1), (double.asynq(2), None)], {"a": [double.asynq(3)]}, (), None
    assert run(*awaitables) == [[2, (4, None)], {"a": [6]}, (), None]


def test_a_gather_can_be_gathered():
    assert run(gather(double.asynq(1)), [gather()]) == [[2], [[]]]


def test_a_generator_may_yield_it():
    @asynq()
    def fn():
        one = yield gather(double.asynq(1), double.asynq(2))
        two = yield [gather(double.asynq(3)), double.asynq(4)]
        return one, two

    assert fn() == ([2, 4], [[6], 8])


def test_it_can_be_awaited_again():
    @asynq()
    async def fn():
        both = gather(double.asynq(1), double.asynq(2))
        return await both, await both

    assert fn() == ([2, 4], [2, 4])


def test_everything_in_it_shares_a_round(source):
    values = run([source.item(1)], {"a": source.item(2)}, gather(source.item(3)))
    assert values == [[2], {"a": 4}, [6]]
    assert source.flushed == [[1, 2, 3]]


def test_coroutines_become_tasks_that_share_a_round(source):
    async def helper(key):
        return await source.item(await source.item(key))

    values = run(helper(1), [helper(2)], (helper(3),), {"a": helper(4)})
    assert values == [4, [8], (12,), {"a": 16}]
    assert source.flushed == [[1, 2, 3, 4], [2, 4, 6, 8]]


def test_a_structure_with_coroutines_is_not_changed():
    async def helper():
        return 1

    given = [helper()]
    assert run(given) == [[1]]
    assert not isinstance(given[0], AsyncTask)


# Errors


def test_the_error_of_the_first_in_order_is_raised():
    late, early = fails.asynq("late"), ErrorFuture(KeyError("early"))
    with pytest.raises(KeyError, match="late"):
        run(late, early)


def test_the_others_run_to_their_end():
    task = double.asynq(1)
    with pytest.raises(KeyError):
        run(ErrorFuture(KeyError("x")), task)
    assert task.is_computed()


def test_errors_stand_in_the_place_of_values():
    errors = run(fails.asynq(1), double.asynq(2), [fails.asynq(3)], return_exceptions=True)
    assert repr(errors) == "[KeyError(1), 4, [KeyError(3)]]"


def test_a_gather_inside_raises_unless_it_returns_its_errors():
    assert repr(run(gather(fails.asynq(1), return_exceptions=True))) == "[[KeyError(1)]]"
    with pytest.raises(KeyError):
        run(gather(fails.asynq(1)), return_exceptions=True)


@pytest.mark.parametrize("bad", [5, "x", double, {double}])
def test_what_cannot_be_awaited_is_an_error(bad):
    with pytest.raises(TypeError, match="Cannot unwrap an object of type"):
        run(bad)


def test_a_list_that_contains_itself_is_an_error():
    endless = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        run(endless)


def test_it_is_not_awaited_by_a_coroutine_outside():
    async def plain():
        await gather(ConstFuture(1))

    with pytest.raises(RuntimeError, match="a Gather is awaited by a coroutine that asynq"):
        plain().send(None)


def test_its_text_has_its_awaitables():
    assert repr(gather(ConstFuture(1), [None])) == f"gather({ConstFuture(1)!r}, [None])"


def test_a_cycle_through_it_is_garbage(no_garbage_yet):
    class Promise(FutureBase):
        pass

    promise = Promise()
    promise.attribute = gather(promise)
    seen = weakref.ref(promise.attribute)
    del promise
    gc.collect()
    assert seen() is None
