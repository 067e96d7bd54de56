"""Requests in flight: on threads and event loops, concurrent, late or cancelled."""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import gc
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest
from forks import child, needs_fork

import asynq
from asynq import AsyncScopedValue, LoadError, LoadTimeoutError, get_active_task
from asynq._asynq import Limit, Permits
from asynq.loaders import Loader, event_loop_thread, request, set_max_in_flight

SECONDS = 30  # After which a test that waits in vain fails.


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


@asynq.asynq()
def one_of_each(loaders):
    return (yield [loader.asynq(1) for loader in loaders])


class Meeting:
    """A function that returns once a given number of its calls run at the same time."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count)

    def __call__(self, keys):
        self.barrier.wait(SECONDS)
        return keys

    async def coroutine(self, keys):
        await asyncio.get_running_loop().run_in_executor(None, self, keys)
        return keys


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_flushes_of_one_round_overlap(kind):
    meet = Meeting(5)
    if kind == "blocking":
        loaders = [Loader(meet, blocking=True) for _ in range(5)]
    else:
        loaders = [Loader(meet.coroutine) for _ in range(5)]
    assert one_of_each(loaders) == [1] * 5


def test_the_parts_of_a_large_batch_overlap():
    loader = Loader(Meeting(3), blocking=True, max_batch_size=2)
    assert each(loader, range(6)) == list(range(6))


def test_a_flush_in_flight_overlaps_with_one_that_holds_the_thread():
    meet = Meeting(2)
    assert one_of_each([Loader(meet, blocking=True), Loader(meet)]) == [1, 1]


def test_tasks_go_on_while_a_flush_is_in_flight():
    done = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert done.wait(SECONDS)
        return keys

    quick = Loader(lambda keys: keys)

    @asynq.asynq()
    def steps():
        for key in range(3):
            yield quick.asynq(key)
        done.set()

    @asynq.asynq()
    def both():
        yield slow.asynq(1), steps.asynq()
        return quick.stats.batches

    assert both() == 3


def test_a_key_in_flight_is_not_asked_for_again():
    batches = []
    goes_on = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        batches.append(keys)
        assert goes_on.wait(SECONDS)
        return keys

    quick = Loader(lambda keys: keys)

    @asynq.asynq()
    def later():
        yield quick.asynq(1)
        load = slow.asynq(7)
        goes_on.set()
        return (yield load)

    @asynq.asynq()
    def both():
        return (yield slow.asynq(7), later.asynq())

    assert both() == (7, 7)
    assert batches == [[7]]


def test_what_comes_back_is_delivered_on_the_thread_of_the_scheduler():
    here = threading.get_ident()
    threads = []
    loader = Loader(
        lambda keys: threads.append(threading.get_ident()) or keys,
        blocking=True,
        after_flush=lambda flushed: threads.append(threading.get_ident()),
    )
    load = loader.asynq(1)
    load.on_computed.subscribe(lambda load: threads.append(threading.get_ident()))
    assert load.value() == 1
    assert threads[0] != here
    assert threads[1:] == [here, here]


def test_a_coroutine_that_a_plain_function_returns_is_run():
    async def function(keys):
        return keys

    assert Loader(lambda keys: function(keys))(1) == 1


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_an_error_in_flight_is_that_of_each_key(kind):
    def blocking(keys):
        raise ValueError("no store")

    async def coroutine(keys):
        raise ValueError("no store")

    if kind == "blocking":
        loader = Loader(blocking, blocking=True, name="user")
    else:
        loader = Loader(coroutine, name="user")
    with pytest.raises(LoadError, match="loader user, key 1: ValueError: no store"):
        loader(1)


def test_a_synchronous_call_in_a_flush_may_wait_for_a_flight():
    outside = Loader(lambda keys: keys, blocking=True)
    around = Loader(lambda keys: [outside(key) for key in keys])
    assert each(around, [1, 2]) == [1, 2]


def test_a_blocking_function_may_call_async_functions():
    inner = Loader(lambda keys: [-key for key in keys])
    outer = Loader(lambda keys: each(inner, keys), blocking=True)
    assert each(outer, [1, 2]) == [-1, -2]


def test_two_threads_may_use_one_loader():
    loader = Loader(lambda keys: [-key for key in keys], blocking=True)
    results = {}

    def work(number):
        keys = range(100 * number, 100 * number + 50)
        results[number] = each(loader, keys) == [-key for key in keys]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert results == dict.fromkeys(range(8), True)


# The context of user code


def test_context_variables_are_those_of_the_caller():
    variable = contextvars.ContextVar("variable", default="nobody")

    async def coroutine(keys):
        return [variable.get() for _ in keys]

    token = variable.set("caller")
    try:
        blocking = Loader(lambda keys: [variable.get() for _ in keys], blocking=True)
        assert (blocking(1), Loader(coroutine)(1)) == ("caller", "caller")
    finally:
        variable.reset(token)


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_the_asynq_stack_is_that_of_the_round(kind):
    async def coroutine(keys):
        await asyncio.sleep(0)
        return [get_active_task() for _ in keys]

    if kind == "blocking":
        loader = Loader(lambda keys: [get_active_task() for _ in keys], blocking=True)
    else:
        loader = Loader(coroutine)

    @asynq.asynq()
    def caller():
        # A round of its own, inside of the running task.
        return loader(1), get_active_task()

    seen, me = caller()
    assert seen is me
    assert loader(1) is None


def test_scoped_values_are_those_of_the_round_whatever_runs_meanwhile():
    value = AsyncScopedValue("outside")
    switched, read = threading.Event(), threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert switched.wait(SECONDS)
        seen = value.get()
        read.set()
        return dict.fromkeys(keys, seen)

    @asynq.loader
    def quick(keys):
        return keys

    @asynq.asynq()
    def meanwhile():
        yield quick.asynq(1)
        with value.override("meanwhile"):
            switched.set()
            assert read.wait(SECONDS)
            return value.get()

    @asynq.asynq()
    def both():
        return (yield slow.asynq(1), meanwhile.asynq())

    assert both() == ("outside", "meanwhile")


# Limits


class Counted:
    """A function that counts its running calls."""

    def __init__(self, expected):
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.meeting = threading.Barrier(expected)

    def __call__(self, keys):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.meeting.wait(SECONDS)
        with self.lock:
            self.now -= 1
        return keys


def test_a_loader_limits_its_batches_in_flight():
    counted = Counted(2)
    loader = Loader(counted, blocking=True, max_batch_size=1, max_in_flight=2)
    assert each(loader, range(6)) == list(range(6))
    assert counted.most == 2


def test_all_loaders_together_have_a_limit():
    counted = Counted(2)
    set_max_in_flight(2)
    try:
        assert one_of_each([Loader(counted, blocking=True) for _ in range(6)]) == [1] * 6
    finally:
        set_max_in_flight(None)
    assert counted.most == 2


def test_a_limit_holds_for_coroutines():
    under_way = [0, 0]
    begun = []

    async def function(keys):
        begun.append(keys)
        partner = len(begun) + len(begun) % 2
        under_way[0] += 1
        under_way[1] = max(under_way)
        while len(begun) < partner:
            await asyncio.sleep(0)
        under_way[0] -= 1
        return keys

    loader = Loader(function, max_batch_size=1, max_in_flight=2)
    assert each(loader, range(6)) == list(range(6))
    assert under_way == [0, 2]


class Failing:
    """Replaces the thread pool or the event loop thread. `fails` are the calls that raise."""

    def __init__(self, real, fails):
        self.real = real
        self.calls = 0
        self.fails = fails

    def submit(self, *args):
        self.calls += 1
        if self.calls in self.fails:
            raise RuntimeError("can't start new thread")
        return self.real.submit(*args)

    def run(self, *args):
        return self.real.run(*args)


@pytest.mark.parametrize("is_blocking", [True, False], ids=["blocking", "async def"])
def test_a_batch_that_cannot_begin_fails_and_gives_its_permit_back(monkeypatch, is_blocking):
    async def coroutine(keys):
        return keys

    function = list if is_blocking else coroutine
    loader = Loader(function, blocking=is_blocking, max_batch_size=1, max_in_flight=1)
    if is_blocking:
        monkeypatch.setattr(request, "thread_pool", Failing(request.thread_pool, {1, 3}))
    else:
        thread = Failing(event_loop_thread.first_event_loop_thread, {1, 3})
        monkeypatch.setattr(event_loop_thread, "first_event_loop_thread", thread)
    loads = [loader.asynq(key) for key in range(4)]
    errors = [load.error() for load in loads]
    assert [error and error.why for error in errors] == [
        "RuntimeError: can't start new thread",
        None,
        "RuntimeError: can't start new thread",
        None,
    ]


def test_an_event_loop_whose_thread_cannot_start_is_begun_anew(monkeypatch):
    async def coroutine(keys):
        return keys

    def start(function, args):
        raise RuntimeError("can't start new thread")

    thread = event_loop_thread.EventLoopThread()
    monkeypatch.setattr(event_loop_thread, "first_event_loop_thread", thread)
    loader = Loader(coroutine)
    with monkeypatch.context() as without_threads:
        without_threads.setattr(_thread, "start_new_thread", start)
        with pytest.raises(LoadError, match="can't start new thread"):
            loader(1)
    assert loader(1) == 1


def test_thousands_may_wait_for_a_permit_that_is_given_back_at_once():
    limit = Limit(1)
    begun = []
    held = Permits([limit])
    held.acquire(lambda: None)
    for _ in range(5000):
        permits = Permits([limit])

        def begin(permits=permits):
            begun.append(None)
            permits.release()

        permits.acquire(begin)
    assert begun == []
    held.release()
    assert len(begun) == 5000


def test_a_permit_for_one_who_has_given_up_goes_to_the_next():
    limits = [Limit(1), Limit(1)]
    first, given_up, next_one = Permits(limits), Permits(limits), Permits(limits)
    begun = []
    first.acquire(lambda: begun.append("first"))
    given_up.acquire(lambda: begun.append("given up"))
    next_one.acquire(lambda: begun.append("next"))
    given_up.release()
    first.release()
    assert begun == ["first", "next"]


# Deadlines, and callers that give up


@pytest.fixture
def stuck():
    """A blocking function that returns when the test ends."""
    over = threading.Event()

    def function(keys):
        assert over.wait(SECONDS)
        return keys

    yield function
    over.set()


def test_a_flush_that_takes_too_long_fails_its_items(stuck):
    loader = Loader(stuck, blocking=True, timeout=0.01, name="user")
    with pytest.raises(LoadTimeoutError, match=r"loader user, key 1: no answer within 0\.01 s"):
        loader(1)
    with pytest.raises(TimeoutError):
        loader(1)


def test_a_coroutine_that_takes_too_long_is_cancelled():
    cancelled = threading.Event()

    async def function(keys):
        try:
            await asyncio.sleep(SECONDS)
        finally:
            cancelled.set()

    with pytest.raises(LoadTimeoutError):
        Loader(function, timeout=0.01)(1)
    assert cancelled.wait(SECONDS)


def test_an_async_function_has_its_deadline_too(stuck):
    inner = Loader(stuck, blocking=True)

    @asynq.loader(timeout=0.01)
    @asynq.asynq()
    def outer(keys):
        return (yield [inner.asynq(key) for key in keys])

    with pytest.raises(LoadTimeoutError):
        outer(1)


def test_others_of_the_round_get_their_values_when_one_is_late(stuck):
    late = Loader(stuck, blocking=True, timeout=0.01)
    quick = Loader(lambda keys: keys, blocking=True)

    @asynq.asynq()
    def caught():
        try:
            return (yield late.asynq(1))
        except LoadTimeoutError:
            return "late"

    @asynq.asynq()
    def both():
        return (yield caught.asynq(), quick.asynq(2))

    assert both() == ("late", 2)


def test_a_load_that_its_caller_gave_up_can_be_awaited_in_another_call():
    goes_on = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert goes_on.wait(SECONDS)
        return keys

    @asynq.asynq()
    def fails(load):
        yield load, quick.asynq(1)

    @asynq.loader
    def quick(keys):
        raise KeyboardInterrupt

    load = slow.asynq(1)
    with pytest.raises(KeyboardInterrupt):
        fails(load)
    assert not load.is_computed()
    goes_on.set()
    assert load.value() == 1


def test_a_load_that_its_caller_gave_up_can_be_awaited_in_another_thread():
    goes_on = threading.Event()

    @asynq.loader(blocking=True)
    def slow(keys):
        assert goes_on.wait(SECONDS)
        return keys

    @asynq.loader
    def quick(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def fails(load):
        yield load, quick.asynq(1)

    load = slow.asynq(1)
    with pytest.raises(KeyboardInterrupt):
        fails(load)
    values = []
    thread = threading.Thread(target=lambda: values.append(load.value()))
    thread.start()
    goes_on.set()
    thread.join(SECONDS)
    assert values == [1]


def test_a_thread_forgets_the_deadline_of_what_another_one_waits_for(stuck):
    goes_on = threading.Event()

    @asynq.loader(blocking=True, timeout=1)
    def slow(keys):
        assert goes_on.wait(SECONDS)
        return keys

    @asynq.loader
    def quick(keys):
        raise KeyboardInterrupt

    @asynq.asynq()
    def fails(load):
        yield load, quick.asynq(1)

    load = slow.asynq(1)
    with pytest.raises(KeyboardInterrupt):
        fails(load)
    values = []
    thread = threading.Thread(target=lambda: values.append(load.value()))
    thread.start()
    goes_on.set()
    thread.join(SECONDS)
    assert values == [1]
    # A call that waits until after the deadline, which is none any more.
    with pytest.raises(LoadTimeoutError):
        Loader(stuck, blocking=True, timeout=1.1)(1)


def test_a_batch_in_flight_cannot_be_flushed_again(stuck):
    loader = Loader(stuck, blocking=True)
    load = loader.asynq(1)
    load.batch.flush()
    with pytest.raises(asynq.BatchingError, match="on their way"):
        load.batch.flush()
    with pytest.raises(asynq.BatchingError, match="on their way"):
        load.batch.value()


def test_a_batch_in_flight_can_be_cancelled(stuck):
    loader = Loader(stuck, blocking=True)
    load = loader.asynq(1)
    load.batch.flush()
    load.batch.cancel()
    with pytest.raises(asynq.BatchCancelledError):
        load.value()


def test_a_round_that_is_over_is_garbage():
    loader = Loader(lambda keys: keys, blocking=True)
    load = loader.asynq(1)
    batch = weakref.ref(load.batch.loader)
    load.value()
    del load, loader
    gc.collect()
    assert batch() is None


INTERRUPTED = """
    import os, signal, threading, asynq

    @asynq.loader(blocking=True)
    def never(keys):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()

    try:
        never(1)
    except KeyboardInterrupt:
        print(asynq.loader(lambda keys: keys, blocking=True)(2))
"""


def test_ctrl_c_ends_a_call_that_waits_and_the_program_can_end():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


SHUTTING_DOWN = """
    import asynq

    @asynq.loader(blocking=True)
    def blocking(keys):
        return keys

    @asynq.loader
    async def coroutine(keys):
        return keys

    print(blocking(1), coroutine(1))

    class Last:
        def __del__(self):
            for loader in (blocking, coroutine):
                try:
                    loader(2)
                except asynq.LoadError as error:
                    print(error)

    last = Last()
"""


def test_a_load_while_the_interpreter_shuts_down_says_that_it_cannot_be():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHUTTING_DOWN)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1 1",
        "loader blocking, key 2: RuntimeError: the interpreter is shutting down, and no other"
        " thread runs any more",
        "loader coroutine, key 2: RuntimeError: the interpreter is shutting down, and no other"
        " thread runs any more",
    ]


@needs_fork
def test_a_process_that_is_forked_with_a_batch_in_flight_goes_on(stuck):
    functions = iter([stuck])
    loader = Loader(
        lambda keys: next(functions, list)(keys), blocking=True, max_in_flight=1, name="user"
    )
    load = loader.asynq(1)
    load.batch.flush()

    def check():
        with pytest.raises(LoadError, match="loader user, key 1: RuntimeError: the process was"):
            load.value()
        assert loader(1) == 1

    next(functions, None)
    with child(check):
        pass


@needs_fork
def test_a_forked_process_has_threads_of_its_own():
    async def coroutine(keys):
        return keys

    loaders = [Loader(lambda keys: keys, blocking=True), Loader(coroutine)]
    assert one_of_each(loaders) == [1, 1]

    def check():
        assert one_of_each(loaders) == [1, 1]

    with child(check):
        check()
