"""A pending future that is taken for its value is a warning that says what to write."""

import pytest
from function_kinds import KINDS, by_await, by_yield, plain
from recorded_warnings import messages, recorded

from asynq import ConstFuture, FutureBase, asynq, debug, gather, get_active_task
from asynq.batching import DebugBatchItem


@pytest.mark.parametrize("make", [lambda: by_yield.asynq(1), lambda: DebugBatchItem(result=1)])
def test_the_text_of_a_pending_future_in_an_async_function_warns(make):
    @asynq()
    def greets():
        future = make()
        text = f"Hello {future}", "%s" % future, str(future), "{}".format(future)  # noqa: UP031,UP032
        yield future
        return text

    with recorded() as seen:
        texts = greets()
    assert "did you forget to yield or await it?" in messages(seen)[0]
    assert [(type(w.message), w.filename) for w in seen] == [(RuntimeWarning, __file__)] * 4
    assert len(texts) == 4


def test_the_text_of_a_future_is_raised_where_warnings_are_errors():
    @asynq()
    async def greets():
        task = by_await.asynq(1)
        try:
            return f"Hello {task}"
        finally:
            await task

    with pytest.raises(RuntimeWarning, match=r"str\(\) of a pending AsyncTask: did you forget"):
        greets()


def test_other_texts_do_not_warn():
    @asynq()
    def main():
        task = by_yield.asynq(1)
        texts = [repr(task), f"{task!r}", debug.str(task), debug.format_asynq_stack(), [task]]
        texts.append(str(texts))
        yield task
        return str(task)

    with recorded() as seen:
        main()
        task = by_yield.asynq(1)
        str(task)
        task.value()
    assert messages(seen) == []


STRUCTURES = {
    "task": lambda task: task,
    "list": lambda task: [task, plain.asynq(2)],
    "tuple": lambda task: (task,),
    "dict": lambda task: {"a": task},
    "beside a value": lambda task: (1, "a", task),
    "in a list of lists": lambda task: [[1], [task]],
    "in a value of a dict": lambda task: {"a": 1, "b": [task]},
    "gather": gather,
}


@KINDS
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("is_sync", [False, True])
def test_a_pending_task_that_is_returned_warns(fn, structure, is_sync):
    @asynq()
    def returns():
        return STRUCTURES[structure](fn.asynq(1))

    with recorded() as seen:
        if is_sync:
            returns()
        else:
            returns.asynq().value()
    assert "returns returned a" in messages(seen)[0]
    assert "did you forget to yield" in messages(seen)[0]
    assert seen[0].filename == __file__


def test_it_warns_in_each_kind_of_function():
    @asynq()
    def generator():
        yield None
        return [plain.asynq(1)]

    @asynq()
    async def coroutine():
        return plain.asynq(1)

    for fn in (generator, coroutine):
        with pytest.raises(RuntimeWarning, match=r"returned a (list with a )?pending AsyncTask"):
            fn()


def test_other_values_do_not_warn():
    @asynq()
    def main():
        computed = by_yield.asynq(1)
        yield computed
        own = get_active_task()
        return own, [computed], [ConstFuture(1)], (), [], {}, [[]], FutureBase()

    @asynq()
    def future():
        return FutureBase()

    with recorded() as seen:
        main()
        future()
    assert messages(seen) == []
