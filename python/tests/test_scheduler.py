import threading

import pytest

from asynq import TaskScheduler, asynq, get_scheduler, scheduler


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@pytest.fixture
def fresh_scheduler():
    """Gives the test, and the tests after it, a scheduler without handlers."""
    scheduler.reset()
    yield get_scheduler()
    scheduler.reset()


# The object.


def test_a_thread_has_one_scheduler():
    assert get_scheduler() is get_scheduler()


def test_the_scheduler_is_a_task_scheduler():
    assert type(get_scheduler()) is TaskScheduler


def test_another_thread_has_another_scheduler():
    schedulers = [get_scheduler()]
    thread = threading.Thread(target=lambda: schedulers.append(get_scheduler()))
    thread.start()
    thread.join()
    assert schedulers[0] is not schedulers[1]


def test_the_name_of_a_scheduler_has_that_of_its_thread(fresh_scheduler):
    assert fresh_scheduler.name.startswith("MainThread / ")


def test_reset_gives_the_thread_a_new_scheduler():
    before = get_scheduler()
    scheduler.reset()
    assert get_scheduler() is not before


def test_after_a_reset_calls_work(source):
    scheduler.reset()
    assert look_up(source, 21) == 42


def test_a_scheduler_is_shown_with_its_numbers_of_tasks_and_batches():
    assert "(0 tasks, 0 batches; active task: None)" in str(get_scheduler())


def test_a_scheduler_knows_the_active_task():
    @asynq()
    def main():
        return get_scheduler().active_task.fn

    assert main() is main.fn


def test_outside_of_tasks_a_scheduler_has_no_active_task():
    assert get_scheduler().active_task is None


def test_wait_for_runs_a_task_to_its_end(source):
    task = look_up.asynq(source, 21)
    assert get_scheduler().wait_for(task) is None
    assert task.is_computed()


def test_wait_for_does_not_raise_the_error_of_the_task():
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    task = fail.asynq()
    get_scheduler().wait_for(task)
    assert type(task.error()) is KeyError


def test_wait_for_does_nothing_for_a_task_that_has_ended():
    @asynq()
    def main():
        yield None

    task = main.asynq()
    task.value()
    assert get_scheduler().wait_for(task) is None


def test_during_a_flush_the_scheduler_has_the_waiting_tasks(new_source):
    seen = []
    source = new_source("source")

    def answer(item):
        seen.extend(task.fn for task in get_scheduler()._tasks)
        item.set_value(None)

    source.answer = answer

    @asynq()
    def main():
        yield look_up.asynq(source, 1)

    main()
    assert set(seen) == {main.fn, look_up.fn}


def test_while_tasks_wait_the_scheduler_has_their_batches(new_source):
    seen = []
    other = new_source("other", priority=1)

    def answer(item):
        seen.append([batch.source.name for batch in get_scheduler()._batches])
        item.set_value(None)

    source = new_source("source", priority=2, answer=answer)

    @asynq()
    def main():
        yield source.item(1), other.item(1)

    main()
    assert "other" in seen[0]


# The hooks.


def test_the_hooks_are_called_around_each_flush(fresh_scheduler, source, log):
    fresh_scheduler.on_before_batch_flush.subscribe(lambda batch: log.append("before"))
    fresh_scheduler.on_after_batch_flush.subscribe(lambda batch: log.append("after"))
    look_up(source, 1)
    assert log == ["before", ("source", [1]), "after"]


def test_the_hooks_are_given_the_batch(fresh_scheduler, source):
    seen = []
    fresh_scheduler.on_before_batch_flush.subscribe(seen.append)
    fresh_scheduler.on_after_batch_flush.subscribe(seen.append)
    batch = source.open
    look_up(source, 1)
    assert seen == [batch, batch]


def test_before_a_flush_the_items_are_there(fresh_scheduler, source):
    seen = []

    def before(batch):
        seen.append((batch.is_flushed(), [item.key for item in batch.items]))

    fresh_scheduler.on_before_batch_flush.subscribe(before)
    look_up(source, 1)
    assert seen == [(False, [1])]


def test_after_a_flush_the_batch_is_flushed(fresh_scheduler, source):
    seen = []
    fresh_scheduler.on_after_batch_flush.subscribe(lambda batch: seen.append(batch.is_flushed()))
    look_up(source, 1)
    assert seen == [True]


def test_a_flush_out_of_turn_calls_no_hooks(fresh_scheduler, source):
    seen = []
    fresh_scheduler.on_before_batch_flush.subscribe(seen.append)
    source.item(1).value()
    assert seen == []


def test_after_a_flush_that_failed_the_hook_is_called(fresh_scheduler, new_source):
    def fail(item):
        raise KeyError("x")

    seen = []
    fresh_scheduler.on_after_batch_flush.subscribe(seen.append)
    with pytest.raises(KeyError):
        look_up(new_source("source", answer=fail), 1)
    assert len(seen) == 1


def test_an_error_in_the_hook_before_a_flush_is_raised(fresh_scheduler, source):
    def fail(batch):
        raise KeyError("in the hook")

    fresh_scheduler.on_before_batch_flush.subscribe(fail)
    with pytest.raises(KeyError, match="in the hook"):
        look_up(source, 1)


def test_an_error_in_the_hook_after_a_flush_is_raised(fresh_scheduler, source):
    def fail(batch):
        raise KeyError("in the hook")

    fresh_scheduler.on_after_batch_flush.subscribe(fail)
    with pytest.raises(KeyError, match="in the hook"):
        look_up(source, 1)


def test_a_reset_forgets_the_hooks(fresh_scheduler, source):
    seen = []
    fresh_scheduler.on_before_batch_flush.subscribe(seen.append)
    scheduler.reset()
    look_up(source, 1)
    assert seen == []
