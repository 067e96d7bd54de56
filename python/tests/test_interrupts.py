"""KeyboardInterrupt and SystemExit in every place that runs user code.

The caller must receive the interrupt, and the next call must work.
"""

import os
import signal
import sys

import pytest

from asynq import AsyncContext, FutureBase, asynq, get_active_task, get_scheduler, scheduler

STOPS = [KeyboardInterrupt, SystemExit]


@pytest.fixture(params=STOPS, ids=lambda stop: stop.__name__)
def stop(request):
    return request.param


@asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


@pytest.fixture
def still_works(new_source):
    """Checks that the scheduler still works."""
    yield
    source = new_source("afterwards")
    assert look_up_all(source, [1, 2]) == [2, 4]
    assert source.flushed == [[1, 2]]
    assert get_active_task() is None


pytestmark = pytest.mark.usefixtures("still_works")


class Stopper(AsyncContext):
    """Raises at a given pause or resume, counted from 1: `Stopper("pause 1")`."""

    def __init__(self, stop, when):
        super().__init__()
        self.stop = stop
        self.when = when
        self.counts = {"pause": 0, "resume": 0}

    def step(self, what):
        self.counts[what] += 1
        if f"{what} {self.counts[what]}" == self.when:
            raise self.stop

    def pause(self):
        self.step("pause")

    def resume(self):
        self.step("resume")


# In a task.


def test_in_a_task_it_arrives_at_the_caller(stop):
    @asynq()
    def main():
        yield None
        raise stop

    with pytest.raises(stop):
        main()


def test_in_a_plain_function_it_arrives_at_the_caller(stop):
    @asynq()
    def main():
        raise stop

    with pytest.raises(stop):
        main()


def test_it_passes_through_the_tasks_that_wait(stop):
    @asynq()
    def inner():
        yield None
        raise stop

    @asynq()
    def outer(n):
        yield inner.asynq() if n == 0 else outer.asynq(n - 1)

    with pytest.raises(stop):
        outer(20)


def test_tasks_that_wait_may_clean_up(stop, log, source):
    @asynq()
    def inner():
        yield source.item(1)
        raise stop

    @asynq()
    def outer():
        try:
            yield inner.asynq()
        finally:
            log.append("cleaned up")

    with pytest.raises(stop):
        outer()
    assert log[-1] == "cleaned up"


def test_except_exception_does_not_catch_it(stop):
    @asynq()
    def inner():
        yield None
        raise stop

    @asynq()
    def outer():
        try:
            yield inner.asynq()
        except Exception:
            return "caught"

    with pytest.raises(stop):
        outer()


def test_in_a_task_it_does_not_keep_a_sibling_from_its_end(stop, source):
    sibling = look_up.asynq(source, 21)

    @asynq()
    def stops():
        raise stop
        yield

    @asynq()
    def main():
        yield stops.asynq(), sibling

    with pytest.raises(stop):
        main()
    assert sibling.is_computed()
    assert sibling.value() == 42


def test_in_a_synchronous_call_it_can_be_caught_by_the_calling_task(stop, source):
    @asynq()
    def stops():
        yield source.item(1)
        raise stop

    @asynq()
    def main():
        try:
            stops()
        except stop:
            return (yield source.item(21))

    assert main() == 42


# In a flush.


def test_in_a_flush_it_arrives_at_the_caller(stop, new_source):
    def raise_it(item):
        raise stop

    with pytest.raises(stop):
        look_up_all(new_source("source", answer=raise_it), [1, 2])


def test_in_a_flush_it_is_the_error_of_the_items(stop, new_source):
    def raise_it(item):
        raise stop

    item = new_source("source", answer=raise_it).item(1)
    assert type(item.error()) is stop


def test_in_a_flush_that_has_answered_every_item_it_still_arrives(stop, new_source):
    def answer_and_raise(item):
        item.set_value(42)
        raise stop

    with pytest.raises(stop):
        look_up(new_source("source", answer=answer_and_raise), 1)


def test_in_a_flush_it_leaves_other_batches_alone(stop, new_source):
    def raise_it(item):
        raise stop

    bad, good = new_source("bad", answer=raise_it, priority=2), new_source("good", priority=1)
    task = look_up.asynq(good, 21)

    @asynq()
    def main():
        yield look_up.asynq(bad, 1), task

    with pytest.raises(stop):
        main()
    assert task.value() == 42
    assert good.flushed == [[21]]


def test_in_try_switch_active_batch_it_arrives_at_the_caller(stop, source):
    def raise_it():
        raise stop

    batch = source.open
    batch._try_switch_active_batch = raise_it
    with pytest.raises(stop):
        look_up(source, 1)
    source.open = source.new_batch()


def test_in_get_priority_it_arrives_at_the_caller(stop, new_source):
    def raise_it():
        raise stop

    source = new_source("source", priority=1)
    source.open.get_priority = raise_it
    with pytest.raises(stop):
        look_up(source, 1)


@pytest.mark.parametrize("hook", ["on_before_batch_flush", "on_after_batch_flush"])
def test_in_a_hook_of_the_scheduler_it_arrives_at_the_caller(stop, source, hook):
    def raise_it(batch):
        raise stop

    getattr(get_scheduler(), hook).subscribe(raise_it)
    try:
        with pytest.raises(stop):
            look_up(source, 1)
    finally:
        scheduler.reset()


def test_in_a_lazy_future_it_arrives_at_the_caller(stop):
    class Stopping(FutureBase):
        def _compute(self):
            raise stop

    @asynq()
    def main():
        yield Stopping()

    with pytest.raises(stop):
        main()


def test_in_a_handler_of_on_computed_it_arrives_at_the_caller(stop, source):
    def raise_it(future):
        raise stop

    @asynq()
    def main():
        task = look_up.asynq(source, 1)
        task.on_computed.subscribe(raise_it)
        yield task

    with pytest.raises(stop):
        main()


# In a context.


@pytest.mark.parametrize("when", ["resume 1", "pause 1", "resume 2", "pause 2"])
def test_in_a_context_it_arrives_at_the_caller(stop, source, when):
    @asynq()
    def main():
        with Stopper(stop, when):
            yield source.item(1)

    with pytest.raises(stop):
        main()


@pytest.mark.parametrize("when", ["pause 1", "resume 2"])
def test_in_a_context_it_leaves_contexts_around_paired(stop, source, when):
    around = Stopper(None, None)

    @asynq()
    def main():
        with around, Stopper(stop, when):
            yield source.item(1)

    with pytest.raises(stop):
        main()
    assert around.counts["pause"] == around.counts["resume"]


# By a signal.


@pytest.fixture
def interrupt():
    """Sends the signal of Ctrl-C to this process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_signal_while_a_task_runs_interrupts_the_call(interrupt, source):
    @asynq()
    def main():
        yield source.item(1)
        interrupt()
        yield source.item(2)

    with pytest.raises(KeyboardInterrupt):
        main()


def test_a_signal_in_a_flush_interrupts_the_call(interrupt, new_source):
    def answer(item):
        interrupt()
        item.set_value(None)

    with pytest.raises(KeyboardInterrupt):
        look_up_all(new_source("source", answer=answer), [1, 2])


def test_a_signal_ends_tasks_that_would_run_for_ever(interrupt):
    @asynq()
    def spin():
        for step in iter(int, 1):
            if step == 0:
                interrupt()
            yield None

    with pytest.raises(KeyboardInterrupt):
        spin()


def test_a_signal_ends_calls_that_would_flush_for_ever(interrupt, new_source):
    source = new_source("source")

    @asynq()
    def spin():
        for key in iter(int, 1):
            if len(source.flushed) == 100:
                interrupt()
            yield source.item(key)

    with pytest.raises(KeyboardInterrupt):
        spin()


# At any moment.


@pytest.fixture
def interrupted_at(no_garbage_yet):
    """Calls a function, and raises KeyboardInterrupt in it at the n-th call or return.

    Returns whether there were n of them. The garbage collector must not run meanwhile, because the
    caller never sees an interrupt that is raised in a destructor.
    """

    def run(n, function, *args):
        left = n
        interrupted = False

        def count(frame, event, argument):
            nonlocal left, interrupted
            left -= 1
            if left == 0:
                interrupted = True
                raise KeyboardInterrupt

        sys.setprofile(count)
        try:
            function(*args)
            arrived = False
        except KeyboardInterrupt:
            arrived = True
        finally:
            left = 0
            sys.setprofile(None)
        assert arrived == interrupted
        return interrupted

    return run


def test_at_any_moment_it_arrives_and_leaves_the_scheduler_usable(
    interrupted_at, new_source, context, log
):
    @asynq()
    def child(source, key):
        with context("child"):
            value = yield source.item(key)
        return value

    @asynq()
    def plain(source, key):
        return look_up(source, key)

    @asynq()
    def main(first, second):
        with context("main"):
            values = yield [child.asynq(first, 1), plain.asynq(second, 2), {"x": first.item(3)}]
            try:
                values.append((yield child.asynq(second, 4)))
            finally:
                values.append(look_up(second, 5))
        return values

    moments = 0
    while interrupted_at(moments + 1, main, new_source("first"), new_source("second")):
        moments += 1
        assert get_active_task() is None
        assert list(get_scheduler()._tasks) == []
        assert main(new_source("first"), new_source("second")) == [2, 4, {"x": 6}, 8, 10]
    assert moments > 100
