"""The package keeps no object alive that is not needed, computed or abandoned."""

import gc
import sys
import threading
import weakref

import pytest

from asynq import (
    AsyncContext,
    BatchBase,
    BatchItemBase,
    Future,
    FutureBase,
    Loader,
    asynq,
    get_active_task,
)

# Many tests drop tasks that nobody has asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")


class Witness:
    """An object that allows weak references. Its death shows that its owner has died."""


class Witnesses:
    """Creates witnesses, and knows the ones that are alive."""

    def __init__(self):
        self.references = []

    def new(self):
        witness = Witness()
        self.references.append(weakref.ref(witness))
        return witness

    @property
    def alive(self):
        return sum(reference() is not None for reference in self.references)

    def all_died(self):
        """Returns whether there were any witnesses, and none of them is alive."""
        return bool(self.references) and self.alive == 0


@pytest.fixture
def witnesses(no_garbage_yet):
    """Creates witnesses, with the garbage collector off unless the test runs it."""
    return Witnesses()


@asynq()
def give(value):
    yield None
    return value


@asynq()
def look_up(source, key):
    return (yield source.item(key))


# Finished tasks die immediately, without the garbage collector.


def test_arguments_die_with_the_task(witnesses):
    give(witnesses.new())
    assert witnesses.all_died()


def test_a_value_dies_with_the_task(witnesses):
    @asynq()
    def make():
        yield None
        return witnesses.new()

    task = make.asynq()
    task.value()
    assert witnesses.alive == 1
    del task
    assert witnesses.all_died()


def test_locals_die_when_the_task_ends(witnesses):
    @asynq()
    def main():
        local = witnesses.new()
        yield None
        return local is None

    task = main.asynq()
    task.value()
    assert witnesses.all_died()


def test_what_was_awaited_dies_when_the_task_goes_on(witnesses):
    @asynq()
    def main():
        yield [give.asynq(witnesses.new()) for _ in range(10)]
        yield None
        return witnesses.alive

    assert main() == 0
    assert witnesses.all_died()


def test_the_children_of_a_loop_die_one_after_the_other(witnesses):
    @asynq()
    def main():
        alive = []
        for _ in range(100):
            yield give.asynq(witnesses.new())
            alive.append(witnesses.alive)
        return max(alive)

    assert main() <= 2


def test_an_item_dies_after_its_flush(witnesses, source):
    source.answer = lambda item: item.set_value(None)
    look_up(source, witnesses.new())
    source.flushed.clear()
    source.log.clear()
    assert witnesses.all_died()


def test_a_batch_dies_after_its_flush(witnesses, source):
    source.open.witness = witnesses.new()
    look_up(source, 1)
    assert witnesses.all_died()


def test_a_task_that_was_never_run_dies(witnesses):
    task = give.asynq(witnesses.new())
    del task
    assert witnesses.all_died()


def test_a_context_dies_after_its_block(witnesses):
    class Scope(AsyncContext):
        def __init__(self):
            self.witness = witnesses.new()

        def resume(self):
            pass

        def pause(self):
            pass

    @asynq()
    def main():
        with Scope():
            yield None
        yield None

    main()
    assert witnesses.all_died()


def test_a_handler_dies_with_its_future(witnesses):
    witness = witnesses.new()
    future = FutureBase()
    future.on_computed.subscribe(lambda it, witness=witness: None)
    del witness
    future.set_value(1)
    del future
    assert witnesses.all_died()


def test_the_scheduler_keeps_nothing_of_a_call(witnesses, source):
    @asynq()
    def main(witness):
        yield [look_up.asynq(source, 1), give.asynq(witness)]

    main(witnesses.new())
    assert witnesses.all_died()


def test_the_scheduler_keeps_nothing_of_a_failed_call(witnesses, source):
    @asynq()
    def fail(witness):
        yield source.item(1)
        raise KeyError("x")

    @asynq()
    def slow(witness):
        yield source.item(2)
        yield source.item(3)

    def call():
        @asynq()
        def main():
            yield fail.asynq(witnesses.new()), slow.asynq(witnesses.new())

        with pytest.raises(KeyError):
            main()

    call()
    gc.collect()  # An error, its traceback and the frames there refer to each other.
    assert witnesses.all_died()


# Circles: the garbage collector finds them.


def test_a_circle_through_an_argument_dies(witnesses):
    holder = [witnesses.new()]
    holder.append(give.asynq(holder))
    del holder
    assert witnesses.alive == 1
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_a_value_dies(witnesses):
    @asynq()
    def main(tasks):
        yield None
        return tasks

    tasks = [witnesses.new()]
    tasks.append(main.asynq(tasks))
    tasks[1].value()
    del tasks
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_an_error_dies(witnesses):
    def make():
        future, error = FutureBase(), KeyError("x")
        error.future, error.witness = future, witnesses.new()
        future.set_error(error)

    make()
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_a_generator_dies(witnesses):
    @asynq()
    def main(witness, tasks):
        tasks.append(get_active_task())
        yield None

    def make():
        tasks = []
        tasks.append(main.asynq(witnesses.new(), tasks))

    make()
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_of_tasks_that_await_each_other_dies(witnesses):
    @asynq()
    def wait_for(tasks, index, witness):
        yield tasks[index]

    def make():
        tasks = []
        tasks += [wait_for.asynq(tasks, 1 - n, witnesses.new()) for n in range(2)]

    make()
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_a_lazy_future_dies(witnesses):
    def make():
        holder = [witnesses.new()]
        holder.append(Future(lambda: holder))

    make()
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_a_handler_dies(witnesses):
    def make():
        future, witness = FutureBase(), witnesses.new()
        future.on_computed.subscribe(lambda it: (future, witness))

    make()
    gc.collect()
    assert witnesses.all_died()


def test_an_unflushed_batch_and_its_items_die(witnesses):
    class Forgotten(BatchBase):
        pass

    class Item(BatchItemBase):
        pass

    def make():
        batch = Forgotten()
        for _ in range(10):
            Item(batch).witness = witnesses.new()

    make()
    assert witnesses.alive == 10
    gc.collect()
    assert witnesses.all_died()


def test_a_circle_through_a_context_dies(witnesses, source):
    class Scope(AsyncContext):
        def __init__(self):
            self.witness = witnesses.new()

        def resume(self):
            self.task = get_active_task()

        def pause(self):
            pass

    @asynq()
    def main():
        with Scope():
            yield source.item(1)

    main()
    gc.collect()
    assert witnesses.all_died()


def test_a_context_entered_and_never_left_dies_with_its_task(witnesses, source):
    class Scope(AsyncContext):
        def __init__(self):
            self.witness = witnesses.new()

        def resume(self):
            pass

        def pause(self):
            pass

    @asynq()
    def careless():
        Scope().__enter__()
        yield source.item(1)

    careless()
    gc.collect()
    assert witnesses.all_died()


def test_a_function_and_its_decorator_die(witnesses):
    def make():
        witness = witnesses.new()

        @asynq()
        def recursive(n):
            assert witness
            return (yield recursive.asynq(n - 1)) if n else None

        recursive(3)

    make()
    gc.collect()
    assert witnesses.all_died()


def test_a_bound_method_of_an_object_dies_with_it(witnesses):
    class Thing:
        def __init__(self):
            self.witness = witnesses.new()
            self.bound = self.method

        @asynq()
        def method(self):
            yield None

    Thing().bound()
    gc.collect()
    assert witnesses.all_died()


def test_what_a_thread_had_in_its_scheduler_dies_with_it(witnesses, source):
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    def work():
        @asynq()
        def main():
            yield fail.asynq(), look_up.asynq(source, 1), give.asynq(witnesses.new())

        with pytest.raises(KeyError):
            main()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    del thread
    gc.collect()
    assert witnesses.all_died()


def test_collecting_in_the_middle_of_everything_takes_away_nothing_that_is_needed(new_source):
    def answer(item):
        gc.collect()
        item.set_value(2 * item.key)

    source = new_source("source", answer=answer)

    @asynq()
    def child(key):
        gc.collect()
        value = yield source.item(key)
        gc.collect()
        return value

    @asynq()
    def main():
        return (yield [child.asynq(key) for key in range(5)])

    assert main() == [0, 2, 4, 6, 8]


# Dropped half-way.


def test_a_task_dropped_where_it_waits_is_closed(witnesses, log):
    promise = FutureBase()

    @asynq()
    def waits(witness):
        try:
            yield promise
        finally:
            log.append("closed")

    @asynq()
    def main():
        yield None
        task = waits.asynq(witnesses.new())
        try:
            task.value()
        except Exception as error:
            log.append(type(error).__name__)

    main()
    gc.collect()
    assert log == ["AsyncTaskError", "closed"]
    assert witnesses.all_died()


def test_an_error_in_a_del_method_does_not_disturb_anything(monkeypatch, source):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: unraisable.append(it.exc_value))

    class Explosive:
        def __del__(self):
            raise KeyError("in __del__")

    @asynq()
    def child(explosive):
        return (yield source.item(1))

    @asynq()
    def main():
        return (yield [child.asynq(Explosive()) for _ in range(3)])

    assert main() == [2, 2, 2]
    assert [str(error) for error in unraisable] == ["'in __del__'"] * 3


def test_a_del_method_may_run_tasks(source):
    values = []

    class Talkative:
        def __del__(self):
            values.append(look_up(source, 21))

    @asynq()
    def child(talkative):
        return (yield source.item(1))

    @asynq()
    def main():
        return (yield [child.asynq(Talkative()) for _ in range(3)])

    assert main() == [2, 2, 2]
    assert values == [42, 42, 42]


def test_a_value_whose_del_method_runs_tasks_may_be_dropped_by_a_future(source):
    values = []

    class Talkative:
        def __del__(self):
            values.append(look_up(source, 21))

    future = FutureBase()
    future.set_value(Talkative())
    future.reset_unsafe()
    assert values == [42]


def test_del_methods_may_run_tasks_wherever_the_collector_comes_by(source, new_source):
    values = []

    class Talkative:
        def __init__(self):
            self.itself = self

        def __del__(self):
            values.append(look_up(new_source("of its own"), 21))

    @asynq()
    def child(key):
        Talkative()
        value = yield source.item(key), look_up.asynq(source, key)
        Talkative()
        return value

    @asynq()
    def main():
        return (yield [child.asynq(key) for key in range(20)])

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        assert main() == [(2 * key, 2 * key) for key in range(20)]
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert values == [42] * 40


def test_the_item_of_a_task_that_was_dropped_is_asked_for_with_the_others(source, new_source):
    def interrupt(item):
        item.set_value(None)
        raise KeyboardInterrupt

    interrupting = new_source("interrupting", answer=interrupt, priority=(1, 0))

    @asynq()
    def main():
        yield look_up.asynq(source, 1), interrupting.item(1)

    with pytest.raises(KeyboardInterrupt):
        main()
    gc.collect()
    assert source.flushed == []
    assert look_up(source, 2) == 4
    assert source.flushed == [[1, 2]]


@pytest.mark.filterwarnings("ignore:.* returned a tuple with a pending Load")
def test_loads_are_garbage_with_their_loader_awaited_or_not():
    def use(loader):
        @asynq()
        def asks():
            return loader.asynq(1), loader.asynq(2)

        first, second = asks()
        assert first.value() is not second.value()
        asks()
        return weakref.ref(loader)

    died = use(Loader(lambda keys: [Witness() for _ in keys]))
    gc.collect()
    assert died() is None


def test_a_load_that_refers_to_itself_by_a_handler_is_garbage():
    loader = Loader(lambda keys: keys)

    def use(witness):
        @asynq()
        def asks():
            load = loader.asynq(1)
            yield load
            load.on_computed.subscribe(lambda _: (load, witness))

        asks()
        return weakref.ref(witness)

    died = use(Witness())
    gc.collect()
    assert died() is None
