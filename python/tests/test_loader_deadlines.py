"""Requests in flight that are late, given up, or outlive their thread or process."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest
from forks import child, needs_fork

import asynq
from asynq import LoadError, LoadTimeoutError
from asynq.loaders import Loader

SECONDS = 30  # After which a test that waits in vain fails.


@asynq.asynq()
def one_of_each(loaders):
    return (yield [loader.asynq(1) for loader in loaders])


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
    started, cancelled = threading.Event(), threading.Event()

    async def function(keys):
        started.set()
        try:
            await asyncio.sleep(SECONDS)
        finally:
            cancelled.set()

    loader = Loader(function, timeout=0.01)
    while not started.is_set():  # The time may be over before it has begun.
        with pytest.raises(LoadTimeoutError):
            loader(1)
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
    import sys
    import types

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

    # In a module of its own: a thread that is stopped inside a loader's function may keep this one.
    module = sys.modules["last"] = types.ModuleType("last")
    module.last = Last()
    del module
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


def test_a_key_that_is_late_before_it_can_be_sent_fails(stuck):
    """Its permit comes after its deadline, and nobody has looked at that."""
    goes_on = threading.Event()

    @asynq.loader(blocking=True, max_in_flight=1)
    def holder(keys):
        assert goes_on.wait(SECONDS)
        return keys

    loader = Loader(stuck, blocking=True, timeout=0.01)
    loader.limit = holder.limit
    loads = [holder.asynq(1), loader.asynq(2)]
    for load in loads:
        load.batch.flush()
    threading.Event().wait(0.05)
    goes_on.set()
    assert loads[0].value() == 1
    assert isinstance(loads[1].error(), LoadTimeoutError)
