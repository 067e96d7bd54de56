"""The garbage collector finds cycles through all objects of the package."""

import gc
import threading

import pytest

from asynq import AsyncContext, BatchBase, BatchItemBase, Future, FutureBase, asynq, get_active_task

# Many tests drop tasks that nobody has asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")


@asynq()
def give(value):
    yield None
    return value


@asynq()
def look_up(source, key):
    return (yield source.item(key))


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
