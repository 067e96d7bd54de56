import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threads import in_thread

from asynq import AsyncTaskError, FutureBase, asynq, get_active_task, get_scheduler


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


# A scheduler each.


def test_fifty_threads_do_not_disturb_each_other(new_source):
    threads = 50
    together = threading.Barrier(threads)

    def work(n):
        source = new_source(f"source {n}")
        together.wait()
        values = [look_up_all(source, [n, n + step, n]) for step in range(20)]
        return values, source.flushed

    with ThreadPoolExecutor(threads) as pool:
        for n, (values, flushed) in enumerate(pool.map(work, range(threads))):
            assert values == [[2 * n, 2 * (n + step), 2 * n] for step in range(20)]
            assert flushed == [[n, n + step, n] for step in range(20)]


def test_fifty_threads_have_fifty_schedulers():
    together = threading.Barrier(50)

    def scheduler():
        together.wait()
        return get_scheduler()

    with ThreadPoolExecutor(50) as pool:
        schedulers = [future.result() for future in [pool.submit(scheduler) for _ in range(50)]]
    assert len(set(map(id, schedulers))) == 50


def test_the_active_task_of_one_thread_is_not_that_of_another():
    @asynq()
    def main():
        yield None
        return get_active_task(), in_thread(get_active_task)

    mine, other = main()
    assert mine is not None
    assert other is None


def test_a_task_may_run_a_thread_that_runs_tasks(new_source):
    @asynq()
    def main():
        yield None
        return in_thread(look_up_all, new_source("there"), [1, 2])

    assert main() == [2, 4]


def test_hooks_of_one_thread_are_not_called_for_another(new_source):
    seen = []
    hook = get_scheduler().on_before_batch_flush
    hook.subscribe(seen.append)
    try:
        in_thread(look_up, new_source("there"), 1)
    finally:
        hook.unsubscribe(seen.append)
    assert seen == []


def test_a_thread_that_ends_with_unfinished_tasks_leaves_them_usable(source, new_source):
    def interrupt(item):
        item.set_value(None)
        raise KeyboardInterrupt

    task = look_up.asynq(source, 21)
    interrupted = look_up.asynq(new_source("interrupted", answer=interrupt, priority=(1, 0)), 1)

    @asynq()
    def main():
        yield interrupted, task

    def work():
        with pytest.raises(KeyboardInterrupt):
            main()
        return task.is_computed(), task.is_blocked(), source.flushed

    assert in_thread(work) == (False, True, [])
    assert task.value() == 42


# From one thread to another.


def test_a_task_made_in_one_thread_runs_in_another(source):
    task = look_up.asynq(source, 21)
    assert in_thread(task.value) == 42


def test_a_task_that_ran_in_another_thread_has_its_value_here(source):
    task = look_up.asynq(source, 21)
    in_thread(task.value)
    assert task.value() == 42


def test_a_task_made_in_another_thread_can_be_awaited_here(source):
    @asynq()
    def main(task):
        return (yield task, source.item(1))

    assert main(in_thread(look_up.asynq, source, 21)) == (42, 2)
    assert source.flushed == [[1, 21]]


def test_a_task_made_inside_a_task_runs_in_another_thread(source):
    @asynq()
    def main():
        yield None
        return in_thread(look_up.asynq(source, 21).value)

    assert main() == 42


def test_an_item_made_in_another_thread_can_be_awaited_here(source):
    item = in_thread(source.item, 21)

    @asynq()
    def main():
        return (yield item)

    assert main() == 42


def test_an_item_may_be_added_from_another_thread_while_others_wait(source):
    items = []

    @asynq()
    def adds():
        items.append(in_thread(source.item, 2))
        return (yield items[0])

    @asynq()
    def main():
        return (yield look_up.asynq(source, 1), adds.asynq())

    assert main() == (2, 4)
    assert source.flushed == [[1, 2]]


def test_a_flush_may_have_its_items_answered_by_other_threads(new_source):
    source = new_source("source")
    source.answer = lambda item: in_thread(item.set_value, 2 * item.key)
    assert look_up_all(source, [1, 2, 3]) == [2, 4, 6]


def test_a_flush_may_have_its_items_failed_by_other_threads(new_source):
    source = new_source("source")
    source.answer = lambda item: in_thread(item.set_error, KeyError(item.key))
    with pytest.raises(KeyError):
        look_up_all(source, [1, 2, 3])


def test_a_promise_may_be_fulfilled_by_another_thread(source):
    promise = FutureBase()

    @asynq()
    def waits():
        return (yield promise)

    @asynq()
    def fulfils():
        yield source.item(1)
        in_thread(promise.set_value, 42)

    @asynq()
    def main():
        return (yield waits.asynq(), fulfils.asynq())

    assert main() == (42, None)


def test_a_waiting_task_may_be_given_its_value_by_another_thread(source):
    tasks = []

    @asynq()
    def waits():
        tasks.append(get_active_task())
        yield source.item(1)
        raise AssertionError("it has its value already")

    @asynq()
    def sets():
        in_thread(tasks[0].set_value, 42)
        yield None

    @asynq()
    def main():
        return (yield waits.asynq(), sets.asynq())

    assert main() == (42, None)


def test_a_thread_that_looks_for_what_others_have_set_leaves_that_of_the_others(new_source):
    promises = {name: FutureBase() for name in ("here", "there")}
    waits_there, may_go_on_there = threading.Event(), threading.Event()

    @asynq()
    def waits(name, source):
        return (yield promises[name], source.item(1))

    def answer_there(item):
        waits_there.set()
        assert may_go_on_there.wait(30)
        item.set_value("there")

    def answer_here(item):
        in_thread(promises["here"].set_value, 1)
        in_thread(promises["there"].set_value, 2)
        # The other thread looks first.
        may_go_on_there.set()
        assert there.result(30) == (2, "there")
        item.set_value("here")

    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(waits, "there", new_source("there", answer=answer_there))
        assert waits_there.wait(30)
        assert waits("here", new_source("here", answer=answer_here)) == (1, "here")


# Tasks that another thread runs.


@pytest.fixture
def busy(source):
    """Runs `meddle(task)` while `task` waits for an item in this thread. Returns its value."""

    def run(meddle):
        tasks = []

        @asynq()
        def waits():
            tasks.append(get_active_task())
            return (yield source.item(21))

        @asynq()
        def meddles():
            return meddle(tasks[0])

        @asynq()
        def main():
            return (yield waits.asynq(), meddles.asynq())

        value, of_meddle = main()
        assert value == 42
        return of_meddle

    return run


@asynq()
def wait_for(task):
    return (yield task)


def test_the_value_of_a_task_that_waits_in_another_thread_is_a_clear_error(busy):
    def meddle(task):
        with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
            in_thread(task.value)

    busy(meddle)


def test_awaiting_a_task_that_waits_in_another_thread_is_a_clear_error(busy):
    def meddle(task):
        with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
            in_thread(wait_for, task)

    busy(meddle)


def test_awaiting_an_item_that_is_awaited_in_another_thread_is_a_clear_error(busy):
    def meddle(task):
        with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
            in_thread(wait_for, task._dependencies[0])

    busy(meddle)


def test_awaiting_a_running_task_of_another_thread_is_a_clear_error():
    @asynq()
    def main():
        with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
            in_thread(wait_for, get_active_task())
        yield None
        return 42

    assert main() == 42


def test_the_value_of_a_running_task_of_another_thread_is_a_clear_error():
    @asynq()
    def main():
        with pytest.raises((RuntimeError, AsyncTaskError), match="another thread"):
            in_thread(get_active_task().value)
        yield None
        return 42

    assert main() == 42


def test_a_thread_that_met_such_an_error_works_on(busy, new_source):
    def meddle(task):
        def work():
            with pytest.raises(RuntimeError):
                wait_for(task)
            return look_up(new_source("there"), 1)

        return in_thread(work)

    assert busy(meddle) == 2


def test_a_task_that_waits_in_another_thread_can_be_looked_at(busy):
    def meddle(task):
        return in_thread(lambda: (task.is_computed(), task.is_blocked(), "blocked" in str(task)))

    assert busy(meddle) == (False, True, True)


def test_an_item_that_is_awaited_in_another_thread_can_be_flushed_there(busy):
    def meddle(task):
        return in_thread(task._dependencies[0].value)

    assert busy(meddle) == 42


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_tasks_may_be_dropped_in_another_thread(source):
    tasks = [look_up.asynq(source, key) for key in range(100)]
    in_thread(tasks.clear)
    assert look_up(source, 21) == 42


def test_many_threads_may_make_tasks_that_one_runs(source):
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda key: look_up.asynq(source, key), range(200)))
    assert unwrap_all(tasks) == [2 * key for key in range(200)]
    assert source.flushed == [list(range(200))]


@asynq()
def unwrap_all(tasks):
    return (yield tasks)


def test_threads_that_run_one_task_at_once_get_its_value_or_a_clear_error(source):
    together = threading.Barrier(8)

    def work(task):
        together.wait()
        try:
            return task.value()
        except RuntimeError as error:
            return 42 if "another thread" in str(error) else error

    for _ in range(20):
        task = look_up.asynq(source, 21)
        with ThreadPoolExecutor(8) as pool:
            values = [future.result() for future in [pool.submit(work, task) for _ in range(8)]]
        assert values == [42] * 8
        # One of them has run it: otherwise it would run now, and ask once more.
        asked = len(source.flushed)
        assert task.value() == 42
        assert len(source.flushed) == asked
