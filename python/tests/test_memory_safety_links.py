"""Objects that refer to each other: items of batches, circles of decorators, long chains."""

import pytest
from programs import assert_ends_well

from asynq import BatchItemBase, _asynq
from asynq import asynq as async_function


@async_function()
def identity(value):
    yield None
    return value


@async_function()
def wait_for(future):
    return (yield future)


def test_a_pending_item_stays_in_its_batch(source, new_source):
    item, other = source.item(1), new_source("other").item(2)
    with pytest.raises(RuntimeError, match="cannot move"):
        item.batch = other.batch
    assert item.batch is not other.batch


def test_a_computed_item_may_give_up_its_batch(source):
    item = source.item(1)
    item.value()
    item.batch = None
    assert item.batch is None


def test_an_item_that_never_joined_the_batch_it_refers_to_cannot_be_awaited(source):
    lost = BatchItemBase.__new__(BatchItemBase)
    lost.batch = source.item(1).batch
    with pytest.raises(TypeError, match="belongs to no batch"):
        wait_for(lost)


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_is_not_its_own_creator():
    task = identity.asynq(1)
    with pytest.raises(ValueError, match="its own creator"):
        task.creator = task


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_is_not_the_creator_of_its_creator():
    first, second = identity.asynq(1), identity.asynq(2)
    second.creator = first
    with pytest.raises(ValueError, match="its own creator"):
        first.creator = second
    assert len(second.traceback()) == 2


def test_a_decorator_does_not_decorate_itself():
    @async_function()
    def first():
        return 1

    @async_function()
    def second():
        return 2

    second.fn = first
    with pytest.raises(ValueError, match="cannot decorate itself"):
        first.fn = second
    assert first() == 1


def test_a_binder_that_binds_itself_has_no_hash():
    binder = _asynq.DecoratorBinder(len)
    binder.__init__(binder, binder)
    with pytest.raises(RecursionError):
        hash(binder)


def test_a_binder_that_binds_itself_has_no_text():
    binder = _asynq.DecoratorBinder(len)
    binder.__init__(binder, binder)
    with pytest.raises(RecursionError):
        str(binder)


def test_batches_inside_each_other():
    assert_ends_well(
        """
        from asynq import BatchBase

        class Nested(BatchBase):
            def _flush(self):
                pass

            def _try_switch_active_batch(self):
                pass

        outermost = inner = Nested()
        for _ in range(100_000):
            inner.items.append(Nested())
            inner = inner.items[0]
        try:
            outermost.flush()
        except RecursionError:
            print("well")
        """
    )


CHAINS = {
    "binders": "link = _asynq.DecoratorBinder(link)",
    "decorators": "link = _asynq.DecoratorBase(link)",
    "lazy futures": "link = Future(link)",
    "constants": "link = ConstFuture(link)",
    "errors": "error = ValueError(); error.link = link; link = ErrorFuture(error)",
    "names of tasks": "task = f.asynq(); task._name = link; link = task",
    "tasks": "link = f.asynq(link)",
    "hooks": "future = FutureBase(); future.on_computed = link; link = future",
    "items of batches": "batch = BatchBase(); batch.items = [link]; link = batch",
}


@pytest.mark.parametrize("step", CHAINS.values(), ids=CHAINS)
def test_a_long_chain_of_objects_is_freed(step):
    assert_ends_well(
        f"""
        import gc, warnings
        from asynq import *
        from asynq import _asynq, asynq

        @asynq()
        def f(x=None):
            return x

        warnings.simplefilter("ignore")
        link = len
        for _ in range(200_000):
            {step}
        del link
        gc.collect()
        print("well")
        """
    )


def test_a_decorator_that_is_its_own_class_of_tasks():
    @async_function()
    def decorated(*_):
        pass

    decorated.__init__(lambda *_: None, decorated)
    with pytest.raises(RecursionError):
        decorated.asynq(1)
