"""Greenlets of one thread, each with its own scheduler.

Each test runs in a process of its own: the others must run without the package greenlet.
"""

import contextvars
import gc
import threading
import weakref

import pytest
from conftest import Logged, Source
from programs import in_new_process
from threads import in_thread

import asynq
from asynq import FutureBase, get_active_task, get_scheduler
from asynq._delay import delay

loaded = in_new_process("import greenlet")


@asynq.asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq.asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


class Pausing:
    """Runs functions in greenlets. `pause()`, called in one, lets the next one run."""

    def __init__(self):
        from greenlet import getcurrent, greenlet

        self.greenlet, self.getcurrent = greenlet, getcurrent
        self.main = getcurrent()
        self.log = []

    def pause(self):
        if self.getcurrent() is not self.main:
            self.main.switch()

    def run(self, *functions):
        """Runs the functions in turns until all have ended. Returns their values."""
        values = {}

        def call(index, function):
            values[index] = function()

        pending = [
            self.greenlet(lambda index=index, function=function: call(index, function))
            for index, function in enumerate(functions)
        ]
        while pending:
            for each in pending:
                each.switch()
            pending = [each for each in pending if not each.dead]
        return [values[index] for index in range(len(functions))]


def pausing_source(greenlets, name="source"):
    def answer(item):
        greenlets.pause()
        item.set_value(2 * item.key)

    return Source(name, answer=answer)


@loaded
def test_forty_greenlets_switch_in_their_flushes():
    greenlets = Pausing()

    def work(n):
        source = pausing_source(greenlets)
        return look_up_all(source, [n, n + 1, n]), source.flushed

    calls = greenlets.run(*[lambda n=n: work(n) for n in range(40)])
    assert calls == [([2 * n, 2 * n + 2, 2 * n], [[n, n + 1, n]]) for n in range(40)]


@loaded
def test_greenlets_switch_in_the_bodies_of_tasks():
    greenlets = Pausing()

    @asynq.asynq()
    def body(n):
        greenlets.pause()
        value = yield asynq.ConstFuture(n)
        greenlets.pause()
        return value

    @asynq.asynq()
    def main(n):
        return (yield [body.asynq(n), body.asynq(n + 1)])

    assert greenlets.run(*[lambda n=n: main(n) for n in range(6)]) == [[n, n + 1] for n in range(6)]


@loaded
def test_greenlets_switch_in_contexts():
    greenlets = Pausing()
    logs = [[], [], []]

    class PausingContext(Logged):
        def resume(self):
            greenlets.pause()
            super().resume()

        def pause(self):
            greenlets.pause()
            super().pause()

    @asynq.asynq()
    def inside(source, log, key):
        with PausingContext(key, log):
            return (yield source.item(key))

    @asynq.asynq()
    def main(log):
        source = pausing_source(greenlets)
        return (yield [inside.asynq(source, log, key) for key in (1, 2)])

    assert greenlets.run(*[lambda log=log: main(log) for log in logs]) == [[2, 4]] * 3
    assert logs == [["+1", "-1", "+2", "-2", "+1", "-1", "+2", "-2"]] * 3


@loaded
def test_greenlets_switch_in_the_comparison_of_keys():
    greenlets = Pausing()

    class Key:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return 1

        def __eq__(self, other):
            greenlets.pause()
            return self.n == other.n

    @asynq.loader
    def double(keys):
        return [2 * key.n for key in keys]

    @asynq.asynq()
    def main(n):
        return (yield [double.asynq(Key(n)), double.asynq(Key(n + 1)), double.asynq(Key(n))])

    values = greenlets.run(*[lambda n=n: main(n) for n in range(4)])
    assert values == [[2 * n, 2 * n + 2, 2 * n] for n in range(4)]


@loaded
def test_greenlets_switch_in_nested_synchronous_calls():
    greenlets = Pausing()

    @asynq.asynq()
    def outer(source, n):
        value = look_up(source, n)
        greenlets.pause()
        return value + (yield source.item(n))

    def work(n):
        return outer(pausing_source(greenlets), n)

    assert greenlets.run(*[lambda n=n: work(n) for n in range(5)]) == [4 * n for n in range(5)]


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
def test_a_task_that_another_greenlet_runs_cannot_be_awaited():
    greenlets = Pausing()
    source = pausing_source(greenlets)
    task = look_up.asynq(source, 1)

    @asynq.asynq()
    def awaits():
        return (yield task)

    def fails():
        with pytest.raises(RuntimeError, match="another thread or greenlet is running this"):
            awaits()

    assert greenlets.run(task.value, fails) == [2, None]


@loaded
def test_a_future_that_another_greenlet_sets_is_awaited():
    greenlets = Pausing()
    future = FutureBase()

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    @asynq.asynq()
    def waits():
        return (yield future, pauses.asynq())

    assert greenlets.run(waits, lambda: future.set_value(7)) == [(7, None), None]


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


@loaded
def test_deduplicate_shares_no_task_between_greenlets():
    greenlets = Pausing()

    @asynq.tools.deduplicate()
    @asynq.asynq()
    def slow(n):
        greenlets.pause()
        yield None
        return n

    @asynq.asynq()
    def main():
        return (yield slow.asynq(1), slow.asynq(1))

    assert greenlets.run(main, main) == [(1, 1), (1, 1)]


@loaded
def test_a_loader_has_a_batch_for_each_greenlet():
    greenlets = Pausing()
    sent = []

    @asynq.loader
    def double(keys):
        sent.append(list(keys))
        greenlets.pause()
        return [2 * key for key in keys]

    @asynq.asynq()
    def main(n):
        greenlets.pause()
        return (yield [double.asynq(n), double.asynq(n + 1)])

    assert greenlets.run(*[lambda n=n: main(n) for n in (0, 10)]) == [[0, 2], [20, 22]]
    assert sent == [[0, 1], [10, 11]]


@loaded
def test_delays_of_greenlets_do_not_share_a_batch():
    greenlets = Pausing()

    @asynq.asynq()
    def sleeps():
        yield from delay(0.001)

    @asynq.asynq()
    def main():
        return (yield sleeps.asynq(), pauses.asynq())

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    assert greenlets.run(main, main) == [(None, None)] * 2


@loaded
def test_context_variables_belong_to_the_greenlet():
    greenlets = Pausing()
    variable = contextvars.ContextVar("variable", default=0)

    @asynq.asynq()
    def main(n):
        variable.set(n)
        greenlets.pause()
        yield None
        return variable.get()

    assert greenlets.run(lambda: main(1), lambda: main(2)) == [1, 2]


@loaded
def test_destructors_may_switch():
    greenlets = Pausing()

    class Switches:
        def __del__(self):
            greenlets.pause()

    @asynq.asynq()
    def holds(_, n):
        yield None
        return n

    @asynq.asynq()
    def main(n):
        return (yield [holds.asynq(Switches(), n + step) for step in range(3)])

    values = greenlets.run(*[lambda n=n: main(n) for n in range(4)])
    assert values == [[n, n + 1, n + 2] for n in range(4)]


@loaded
def test_a_batch_that_greenlets_share_is_flushed_once():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key):
        return (yield source.item(key), pauses.asynq())

    assert greenlets.run(lambda: main(1), lambda: main(2), lambda: main(3)) == [
        (2, None),
        (4, None),
        (6, None),
    ]
    assert source.flushed == [[1, 2, 3]]


@loaded
def test_a_greenlet_gets_values_that_another_one_has_flushed_meanwhile():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def pauses(times):
        for _ in range(times):
            greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key, times):
        value, _ = yield source.item(key), pauses.asynq(times)
        return value, (yield source.item(key + 10))

    assert greenlets.run(lambda: main(1, 3), lambda: main(2, 0)) == [(2, 22), (4, 24)]
    assert source.flushed[0] == [1, 2]


@loaded
def test_a_call_that_fails_leaves_a_shared_batch_to_the_other_greenlet():
    greenlets = Pausing()
    source = Source()

    @asynq.asynq()
    def fails():
        greenlets.pause()
        raise KeyError
        yield

    @asynq.asynq()
    def pauses():
        greenlets.pause()
        greenlets.pause()
        yield None

    @asynq.asynq()
    def main(key, other):
        return (yield source.item(key), other.asynq())

    def failing():
        with pytest.raises(KeyError):
            main(1, fails)

    assert greenlets.run(failing, lambda: main(2, pauses)) == [None, (4, None)]


@loaded
def test_waiting_for_a_flush_of_another_greenlet_fails_if_that_cannot_go_on():
    greenlets = Pausing()
    source = pausing_source(greenlets)
    item = source.item(1)

    @asynq.asynq()
    def awaits():
        return (yield item)

    def fails():
        with pytest.raises(RuntimeError, match="another greenlet of this thread is flushing"):
            awaits()
        with pytest.raises(RuntimeError, match="another greenlet of this thread is flushing"):
            item.value()
        return look_up(Source(), 5)

    assert greenlets.run(awaits, fails) == [2, 10]


@loaded
def test_an_item_awaited_in_its_own_flush_fails_among_greenlets_too():
    seen = []

    def answer(item):
        with pytest.raises(asynq.AsyncTaskError, match="deadlock"):
            awaits(item)
        seen.append(item.key)
        item.set_value(1)

    @asynq.asynq()
    def awaits(item):
        return (yield item)

    def work():
        return look_up(Source(answer=answer), 1)

    assert Pausing().run(work, work) == [1, 1]
    assert seen == [1, 1]


@loaded
def test_nested_calls_are_counted_in_each_greenlet():
    greenlets = Pausing()

    def work():
        item = Source().item(1)
        item.on_computed.subscribe(lambda item: greenlets.pause())
        item.batch.cancel()  # All greenlets are in here at the same time.
        return type(item.error())

    assert greenlets.run(*[work] * 600) == [asynq.BatchCancelledError] * 600


@loaded
def test_an_endless_recursion_in_a_greenlet_is_an_error_there():
    greenlets = Pausing()

    def endless():
        source = Source(answer=lambda item: item.set_value(look_up(source, 1)))
        try:
            look_up(source, 1)
        except RecursionError:
            return "endless"

    def work():
        return look_up_all(Source(), [1, 2])

    assert greenlets.run(endless, work) == ["endless", [2, 4]]
