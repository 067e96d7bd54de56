"""The package keeps no object alive that is not needed, computed or abandoned."""

import gc
import weakref

import pytest
from witnesses import Witness

from asynq import AsyncContext, FutureBase, Loader, asynq

# Many tests drop tasks that nobody has asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")


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
