"""Tasks that are initialized twice, bodies that are no generators, structures that change.

Hostile programs end in ordinary exceptions, and leave the interpreter and the scheduler usable. The
files `test_memory_safety_*.py` show the same of other subjects.
"""

import gc

import pytest
from programs import assert_ends_well

import asynq
from asynq import (
    AsyncTask,
    BatchItemBase,
    ConstFuture,
    FutureBase,
    _asynq,
    debug,
    get_active_task,
)
from asynq import _trace as trace
from asynq import asynq as async_function
from asynq.async_task import unwrap


@pytest.fixture
def no_assertions(monkeypatch):
    monkeypatch.setattr(debug.options, "ENABLE_COMPLEX_ASSERTIONS", False)


@async_function()
def identity(value):
    yield None
    return value


@async_function()
def wait_for(future):
    return (yield future)


def generator():
    yield None
    return "other"


class Reacting:
    """Calls a function when it dies."""

    def __init__(self, function):
        self.function = function

    def __del__(self):
        self.function()


# --- __init__ again


def initialize_again(task):
    task.__init__(generator(), identity, (), {})


def test_a_new_task_cannot_be_initialized_again():
    task = identity.asynq(1)
    with pytest.raises(RuntimeError, match="initialized already"):
        initialize_again(task)
    assert task.value() == 1


def test_an_ended_task_cannot_be_initialized_again():
    task = identity.asynq(1)
    task.value()
    with pytest.raises(RuntimeError, match="initialized already"):
        initialize_again(task)
    assert task.value() == 1


def test_a_running_task_cannot_be_initialized_again():
    @async_function()
    def main():
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(get_active_task())
        return (yield identity.asynq(2))

    assert main.asynq().value() == 2


def test_a_running_synchronous_call_cannot_be_initialized_again():
    @async_function()
    def main():
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(get_active_task())
        return (yield identity.asynq(2))

    assert main() == 2


def test_a_blocked_task_cannot_be_initialized_again(source):
    blocked = wait_for.asynq(source.item(1))

    @async_function()
    def disturb():
        yield None
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(blocked)

    @async_function()
    def main():
        return (yield blocked, disturb.asynq())[0]

    assert main() == source.item(1).value()


def test_a_generator_that_is_spared_by_the_collector_dies_safely():
    assert_ends_well(
        """
        import gc, warnings
        warnings.simplefilter("ignore")
        from asynq import asynq

        @asynq()
        def f(x):
            yield None

        tasks = [f.asynq(x) for x in range(1000)]
        generators = [task._generator for task in tasks]
        del tasks
        gc.collect()
        del generators
        gc.collect()
        print("well")
        """
    )


def test_a_constant_future_cannot_be_initialized_again():
    future = ConstFuture(1)
    with pytest.raises(asynq.FutureIsAlreadyComputed):
        future.__init__(2)
    assert future.value() == 1


def test_an_item_cannot_be_initialized_again(source):
    item = source.item(1)
    with pytest.raises(RuntimeError, match="in a batch already"):
        BatchItemBase.__init__(item, item.batch)
    assert len(item.batch.items) == 1


def test_a_decorator_that_is_initialized_again_decorates_the_other_function():
    @async_function()
    def first():
        return 1

    def second():
        return 2

    first.__init__(second, AsyncTask)
    assert first() == 2


def test_a_binder_that_is_initialized_again_may_be_used_by_a_destructor():
    seen = []
    binder = _asynq.DecoratorBinder(Reacting(lambda: seen.append(binder.decorator)))
    binder.__init__(len)
    assert seen == [len]


def test_a_decorator_that_is_initialized_again_may_be_used_by_a_destructor():
    seen = []
    decorator = _asynq.DecoratorBase(Reacting(lambda: seen.append(decorator.fn)))
    decorator.__init__(len)
    assert seen == [len]


def test_a_hook_that_is_replaced_may_use_the_scheduler_when_it_dies():
    scheduler = asynq.scheduler.TaskScheduler()
    seen = []
    scheduler.on_before_batch_flush = Reacting(lambda: seen.append(scheduler.on_before_batch_flush))
    scheduler.on_before_batch_flush = "hook"
    assert seen == ["hook"]


def test_the_name_of_a_scheduler_may_use_it_when_it_dies():
    scheduler = asynq.scheduler.TaskScheduler()
    seen = []
    scheduler.name = Reacting(lambda: seen.append(scheduler.name))
    scheduler.name = "name"
    assert seen == ["name"]


# --- objects that are not generators


NOT_GENERATORS = [12345678901, None, "text", 1.5, b"bytes", object(), [1], len]


@pytest.mark.parametrize("thing", NOT_GENERATORS, ids=lambda thing: type(thing).__name__)
def test_a_task_needs_a_generator(no_assertions, thing):
    with pytest.raises(TypeError, match=f"generator is expected, but {type(thing).__name__} is"):
        AsyncTask(thing, identity, (), {})


@pytest.mark.parametrize("thing", NOT_GENERATORS, ids=lambda thing: type(thing).__name__)
def test_a_function_that_was_taken_for_a_generator_function_fails(thing):
    @async_function()
    def main():
        return thing

    main.needs_wrapper = True
    task = main.asynq()
    with pytest.raises((AttributeError, TypeError)):
        wait_for(task)
    gc.collect()


def test_an_object_with_the_methods_of_a_generator_is_one(no_assertions):
    class Generator:
        def send(self, value):
            raise StopIteration(42)

        def throw(self, error):
            raise error

        def close(self):
            pass

    assert AsyncTask(Generator(), identity, (), {}).value() == 42


def test_one_generator_of_two_tasks():
    shared = generator()
    tasks = [AsyncTask(shared, identity, (), {}) for _ in range(2)]

    @async_function()
    def main():
        return (yield tasks)

    assert main() == ["other", None]


# --- structures that change while they are yielded


class Changing:
    """A key whose hash changes the structure it is in."""

    def __init__(self, change):
        self.change = None
        self.prepared = change

    def __hash__(self):
        if self.change is not None:
            self.change()
        return 1

    def __eq__(self, other):
        return self is other


def test_a_dict_that_grows_while_it_is_unwrapped():
    futures = {}
    key = Changing(lambda: futures.setdefault(len(futures), ConstFuture(3)))
    futures[key] = identity.asynq(1)
    futures["b"] = identity.asynq(2)
    key.change = key.prepared
    assert list(wait_for(futures).values()) == [1, 2]


def test_a_dict_that_is_cleared_while_it_is_unwrapped():
    futures = {}
    key = Changing(futures.clear)
    futures[key] = ConstFuture(1)
    futures["b"] = ConstFuture(2)
    key.change = key.prepared
    assert list(unwrap(futures).values()) == [1, 2]


def test_a_dict_that_grows_while_it_is_walked(monkeypatch):
    futures = {}
    monkeypatch.setattr(
        trace, "schedule_task", lambda _: futures.setdefault(len(futures), ConstFuture(0))
    )
    monkeypatch.setattr(debug.options, "DUMP_SCHEDULE_TASK", True)
    futures["a"] = identity.asynq(1)
    futures["b"] = identity.asynq(2)
    values = wait_for(futures)
    assert (values["a"], values["b"]) == (1, 2)


@pytest.mark.parametrize("change", [list.clear, list.pop, lambda futures: futures.append(None)])
def test_a_list_that_changes_while_its_futures_are_computed(change):
    class Computed(FutureBase):
        def _compute(self):
            change(futures)
            self.set_value(1)

    futures = [Computed(), Computed()]
    values = wait_for(futures)
    assert set(values) <= {1, None}
