"""Common mistakes raise an error that says what to do instead."""

import pytest

from asynq import (
    AsyncContext,
    AsyncTask,
    BatchBase,
    BatchingError,
    BatchItemBase,
    ConstFuture,
    Future,
    FutureBase,
    asynq,
    get_active_task,
)


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def await_it(future):
    return (yield future)


# Tasks.


def test_an_async_call_in_a_condition():
    with pytest.raises(TypeError, match="did you forget to yield it"):
        _ = 1 if await_it.asynq(None) else 2


def test_yielding_a_value():
    with pytest.raises(TypeError, match="only futures and None are allowed"):
        await_it(42)


def test_yielding_a_generator():
    @asynq()
    def main():
        yield (await_it.asynq(None) for _ in range(3))

    with pytest.raises(TypeError, match="'generator'"):
        main()


def test_yielding_an_async_function_without_calling_it():
    @asynq()
    def main():
        yield look_up.asynq

    with pytest.raises(TypeError, match="Cannot unwrap an object of type"):
        main()


def test_yielding_a_coroutine():
    async def coroutine():
        pass

    made = coroutine()
    try:
        with pytest.raises(TypeError, match="'coroutine'"):
            await_it(made)
    finally:
        made.close()


def test_decorating_twice():
    with pytest.raises(AssertionError, match="can be applied just once"):
        asynq()(look_up)


def test_making_a_task_of_what_is_not_a_generator():
    with pytest.raises(AssertionError, match="generator is expected"):
        AsyncTask([1, 2], len, (), {})


def test_making_a_task_without_arguments():
    with pytest.raises(TypeError):
        AsyncTask()


def test_a_task_class_that_does_not_call_init():
    class Forgetful(AsyncTask):
        def __init__(self, *args):
            pass

    @asynq(cls=Forgetful)
    def main():
        yield None
        return 42

    with pytest.raises(TypeError, match=r"Forgetful has to call super\(\).__init__\("):
        main()


def test_running_the_generator_of_a_task_by_hand():
    @asynq()
    def main():
        yield None
        next(get_active_task()._generator)

    with pytest.raises(ValueError, match="generator already executing"):
        main()


def test_closing_the_generator_of_a_task_that_waits(source):
    tasks = []

    @asynq()
    def waits():
        tasks.append(get_active_task())
        return (yield source.item(1))

    @asynq()
    def closes():
        tasks[0]._generator.close()
        yield None

    @asynq()
    def main():
        return (yield waits.asynq(), closes.asynq())

    assert main() == (None, None)


# Futures.


def test_giving_a_value_instead_of_a_function_to_a_lazy_future():
    with pytest.raises(TypeError, match="a known value is a ConstFuture"):
        Future(42)


def test_a_const_future_without_value():
    with pytest.raises(TypeError):
        ConstFuture()


def test_an_error_that_is_not_an_exception():
    with pytest.raises(TypeError, match="has to be an exception, not str"):
        FutureBase().set_error("text")


def test_none_as_an_error():
    with pytest.raises(TypeError, match="has to be an exception, not NoneType"):
        FutureBase().set_error(None)


def test_a_compute_that_sets_nothing():
    class Forgetful(FutureBase):
        def _compute(self):
            pass

    with pytest.raises(Exception, match="_compute"):
        Forgetful().value()


def test_awaiting_a_future_whose_compute_sets_nothing():
    class Forgetful(FutureBase):
        def _compute(self):
            pass

    with pytest.raises(Exception, match="Forgetful"):
        await_it(Forgetful())


def test_setting_a_task_that_sets_itself():
    @asynq()
    def main():
        get_active_task().set_value("set")
        yield None

    assert main() == "set"


# Batches and items.


class Forgetful(BatchBase):
    def _try_switch_active_batch(self):
        pass


def test_a_batch_without_flush():
    with pytest.raises(NotImplementedError, match="_flush"):
        await_it(BatchItemBase(Forgetful()))


def test_a_batch_without_try_switch_active_batch():
    class Stuck(BatchBase):
        def _flush(self):
            for item in self.items:
                item.set_value(42)

    with pytest.raises(NotImplementedError, match="_try_switch_active_batch"):
        await_it(BatchItemBase(Stuck()))


def test_an_item_whose_class_does_not_call_init():
    class Lost(BatchItemBase):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match=r"has to call super\(\).__init__\(batch\)"):
        await_it(Lost())


def test_the_value_of_an_item_whose_class_does_not_call_init():
    class Lost(BatchItemBase):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match=r"has to call super\(\).__init__\(batch\)"):
        Lost().value()


def test_an_item_of_what_is_not_a_batch():
    with pytest.raises(TypeError):
        BatchItemBase([])


def test_an_item_for_a_flushed_batch(source):
    batch = source.item(1).batch
    batch.flush()
    with pytest.raises(AssertionError, match="already flushed"):
        BatchItemBase(batch)


def test_an_item_for_a_batch_that_is_being_flushed(new_source):
    errors = []

    def answer(item):
        try:
            BatchItemBase(item.batch)
        except AssertionError as error:
            errors.append(str(error))
        item.set_value(None)

    look_up(new_source("source", answer=answer), 1)
    assert "_try_switch_active_batch() has to make another one" in errors[0]


def test_the_value_of_an_item_in_its_own_flush(new_source):
    source = new_source("source", answer=lambda item: item.set_value(item.value()))
    with pytest.raises(BatchingError, match="is being flushed already"):
        look_up(source, 1)


def test_flushing_a_batch_in_its_own_flush(new_source):
    source = new_source("source", answer=lambda item: item.batch.flush())
    with pytest.raises(BatchingError, match="is being flushed already"):
        look_up(source, 1)


def test_setting_an_item_twice_in_a_flush(new_source):
    def answer(item):
        item.set_value(1)
        item.set_value(2)

    source = new_source("source", answer=answer)
    first, second = source.item(1), source.item(2)
    assert first.value() == 1
    assert "a future is set only once" in str(second.error())


def test_a_priority_that_cannot_be_compared(new_source):
    source = new_source("source", priority=object())
    with pytest.raises(TypeError, match="get_priority"):
        look_up(source, 1)


def test_priorities_of_different_kinds_are_no_crash(new_source):
    a, b = new_source("a", priority="text"), new_source("b", priority=(1, 2))

    @asynq()
    def main():
        return (yield a.item(1), b.item(2))

    assert main() == (2, 4)


def test_a_flush_method_that_flushes_nothing(source):
    source.open.flush = lambda: None
    with pytest.raises(AssertionError, match="wasn't set on batch flush"):
        look_up(source, 1)


def test_items_that_are_thrown_away_by_the_batch(source, log):
    def flush(items):
        kept = list(items)
        items.clear()
        for item in kept:
            item.set_value("answered")

    source.flush = flush
    assert look_up(source, 1) == "answered"


def test_an_item_dropped_from_the_list_of_its_batch(source):
    source.flush = lambda items: items.clear()
    with pytest.raises(Exception, match="neither a value nor an error"):
        look_up(source, 1)


def test_what_is_not_an_item_in_the_list_of_a_batch(source):
    source.open.items.append("not an item")
    source.flush = lambda items: items[1].set_value(42)
    assert look_up(source, 1) == 42


# Contexts.


@pytest.mark.parametrize("method", ["resume", "pause"])
def test_a_context_that_lacks_a_method(method):
    class Half(AsyncContext):
        pass

    if method == "pause":
        Half.resume = lambda self: None
    with pytest.raises(NotImplementedError, match=method), Half():
        pass


def test_leaving_a_context_that_was_never_entered(context, log):
    context("c").__exit__(None, None, None)
    assert log == ["-c"]


def test_leaving_a_context_twice(context, log, source):
    @asynq()
    def main():
        with context("c") as c:
            c.__exit__(None, None, None)
        yield source.item(1)

    main()
    assert log == ["+c", "-c", "-c", ("source", [1])]


def test_entering_a_context_and_never_leaving_it(context, log, source):
    @asynq()
    def careless():
        context("c").__enter__()
        yield source.item(1)

    @asynq()
    def main():
        yield careless.asynq()
        yield source.item(2)

    main()
    assert log[:4] == ["+c", "-c", ("source", [1]), "+c"]
    assert log[-1] == ("source", [2])


def test_one_context_object_in_two_tasks(context, log, source):
    shared = context("c")

    @asynq()
    def child(key):
        with shared:
            yield source.item(key)

    @asynq()
    def main():
        return (yield child.asynq(1), child.asynq(2))

    main()
    switches = [entry for entry in log if isinstance(entry, str)]
    assert switches == ["+c", "-c"] * (len(switches) // 2)


def test_leaving_in_another_task_a_context_that_one_has_entered(context, log, source):
    entered = context("c")

    @asynq()
    def enters():
        entered.__enter__()
        yield source.item(1)

    @asynq()
    def leaves():
        entered.__exit__(None, None, None)
        yield source.item(2)

    @asynq()
    def main():
        yield enters.asynq(), leaves.asynq()

    main()
    assert ("source", [1, 2]) in log
