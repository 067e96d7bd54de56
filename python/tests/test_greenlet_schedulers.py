"""Each greenlet has its own scheduler, which ends with it."""

import gc
import threading
import weakref

import pytest
from conftest import Logged, Source
from pausing import Pausing, loaded, look_up, look_up_all, pausing_source
from programs import in_new_process
from threads import in_thread

import asynq
from asynq import get_active_task, get_scheduler


@loaded
def test_the_active_task_is_that_of_the_greenlet():
    greenlets = Pausing()

    @asynq.asynq()
    def active():
        yield None
        before = get_active_task()
        greenlets.pause()
        return before, get_active_task()

    def no_task():
        greenlets.pause()
        return get_active_task()

    (before, after), none, (other, _) = greenlets.run(active, no_task, active)
    assert before is after
    assert before is not other
    assert none is None


@loaded
def test_a_task_made_in_another_greenlet_has_no_creator_there():
    greenlets = Pausing()

    @asynq.asynq()
    def waits():
        greenlets.pause()
        yield None

    _, task = greenlets.run(waits, lambda: look_up.asynq(Source(), 1))
    assert task.creator is None


@loaded
def test_each_greenlet_has_its_scheduler():
    greenlets = Pausing()

    def schedulers():
        before = get_scheduler()
        greenlets.pause()
        return before, get_scheduler()

    (first, again), (second, _) = greenlets.run(schedulers, schedulers)
    assert first is again
    assert first is not second
    assert get_scheduler() not in (first, second)


@loaded
def test_the_main_greenlet_has_the_scheduler_of_its_thread():
    before = get_scheduler()
    greenlets = Pausing()
    greenlets.run(get_scheduler)
    assert get_scheduler() is before


@in_new_process()
def test_a_call_goes_on_when_the_package_is_loaded_during_it():
    log = []

    @asynq.asynq()
    def main(source):
        first = yield source.item(1)
        greenlets = Pausing()
        log.extend(greenlets.run(lambda: look_up(pausing_source(greenlets), 5), get_active_task))
        return first, (yield source.item(2)), get_active_task() is not None

    assert main(Source()) == (2, 4, True)
    assert log == [10, None]


@loaded
def test_greenlets_of_two_threads_do_not_disturb_each_other():
    together = threading.Barrier(2)

    def work():
        together.wait()
        greenlets = Pausing()
        source = [pausing_source(greenlets) for _ in range(10)]
        return greenlets.run(*[lambda n=n: look_up_all(source[n], [n, 1]) for n in range(10)])

    other = []
    thread = threading.Thread(target=lambda: other.append(work()))
    thread.start()
    mine = work()
    thread.join()
    assert mine == other[0] == [[2 * n, 2] for n in range(10)]


@loaded
def test_the_scheduler_of_an_ended_greenlet_is_freed():
    greenlets = Pausing()
    hooks = []

    def work():
        hook = get_scheduler().on_before_batch_flush
        hook.subscribe(lambda batch: None)
        hooks.append(weakref.ref(hook))
        return look_up(Source(), 1)

    assert greenlets.run(*[work] * 50) == [2] * 50
    gc.collect()
    assert [hook for hook in hooks if hook() is not None] == []


@loaded
def test_a_greenlet_that_was_freed_in_another_thread_leaves_no_scheduler():
    greenlets = Pausing()
    hooks = []

    def work():
        hook = get_scheduler().on_before_batch_flush
        hook.subscribe(lambda batch: None)
        hooks.append(weakref.ref(hook))
        return look_up(Source(), 1)

    ended = [greenlets.greenlet(work) for _ in range(10)]
    for each in ended:
        each.switch()
    del each
    in_thread(ended.clear)
    for _ in range(30):
        greenlets.run(work)
    gc.collect()
    assert [hook for hook in hooks if hook() is not None] == []


@loaded
def test_a_greenlet_that_is_killed_in_a_flush_leaves_the_others_alone():
    greenlets = Pausing()
    source = pausing_source(greenlets)
    killed = greenlets.greenlet(lambda: look_up_all(source, [1, 2]))
    killed.switch()
    other = greenlets.greenlet(lambda: look_up_all(pausing_source(greenlets), [3]))
    other.switch()
    killed.throw()
    assert killed.dead
    assert other.switch() == [6]
    assert look_up(Source(), 4) == 8


@loaded
def test_a_greenlet_that_is_collected_in_a_task_closes_its_contexts():
    greenlets = Pausing()
    log = []

    @asynq.asynq()
    def main():
        with Logged("c", log):
            yield None
            greenlets.pause()

    left = greenlets.greenlet(main)
    left.switch()
    del left
    gc.collect()
    assert log == ["+c", "-c"]
    assert look_up(Source(), 4) == 8


@loaded
def test_a_context_is_left_in_the_scheduler_in_which_it_was_entered():
    greenlets = Pausing()
    log = []

    @asynq.asynq()
    def holds(source):
        with Logged("held", log):
            yield source.item(1)

    suspended = []

    @asynq.asynq()
    def main():
        source = pausing_source(greenlets)
        suspended.append(holds.asynq(source))
        with Logged("main", log):
            yield suspended[0]

    @asynq.asynq()
    def other():
        with Logged("other", log):
            suspended[0].set_error(ValueError("closed by another greenlet"))
            yield Source().item(1)

    def fails():
        with pytest.raises(ValueError, match="closed"):
            main()

    greenlets.run(fails, other)
    assert log.count("+other") == log.count("-other")
    assert log.count("+main") == log.count("-main")
