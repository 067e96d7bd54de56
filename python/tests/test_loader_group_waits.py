"""Batches that wait for the permit of their group: timeouts, cancellation, interrupts and forks."""

import asyncio
import signal
import threading
import time

import pytest
from forks import child, needs_fork
from loader_kinds import (
    SECONDS,
    Running,
    blocking,
    coroutine,
    in_coroutines,
    kinds,
    plain,
    synchronously,
    task,
)

import asynq
from asynq import LoadTimeoutError
from asynq.loaders import Group, Loader


@pytest.fixture
def running():
    return Running()


@pytest.fixture
def held():
    """A group whose only permit is held, until the event is set."""
    group, go_on, started = Group(max_in_flight=1), threading.Event(), threading.Event()

    def function(keys):
        started.set()
        go_on.wait(SECONDS)
        return keys

    holder = Loader(function, blocking=True, group=group)
    thread = threading.Thread(target=holder, args=(1,))
    thread.start()
    started.wait(SECONDS)
    yield group, go_on
    go_on.set()
    thread.join()


@kinds
def test_a_batch_waits_for_another_thread(held, running, kind):
    group, go_on = held
    loader = kind(running, group=group)
    threading.Timer(0.02, go_on.set).start()
    assert loader(1) == 10
    assert go_on.is_set()


@pytest.mark.parametrize("kind", [blocking, coroutine, task])
@pytest.mark.parametrize("load_all", [synchronously, in_coroutines])
def test_a_timeout_covers_the_wait_for_the_group(held, running, kind, load_all):
    group, go_on = held
    loader = kind(running, group=group, timeout=0.02)
    with pytest.raises(LoadTimeoutError):
        load_all([(loader, 1)])
    assert running.calls == 0
    go_on.set()
    while group.limit._free == 0:
        time.sleep(0.001)
    assert group.limit._waiting == 0
    assert kind(running, group=group)(2) == 20


def test_a_timeout_covers_the_call_of_a_task(running):
    never = Loader(lambda keys: time.sleep(0.2) or keys, blocking=True)

    @asynq.asynq()
    def function(keys):
        return (yield [never.asynq(key) for key in keys])

    loader = Loader(function, group=Group(max_in_flight=1), timeout=0.02)
    with pytest.raises(LoadTimeoutError):
        loader(1)


def test_a_cancelled_load_leaves_the_queue(held, running):
    group, go_on = held
    loader = coroutine(running, group=group)

    async def main():
        load = asyncio.ensure_future(loader.asyncio(1))
        while not group.limit._waiting:
            await asyncio.sleep(0)
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        while group.limit._waiting:
            await asyncio.sleep(0)
        go_on.set()
        return await loader.asyncio(2)

    assert asyncio.run(asyncio.wait_for(main(), SECONDS)) == 20


@pytest.mark.parametrize("kind", [plain, task])
def test_an_interrupt_ends_the_wait_for_the_group(held, running, kind):
    group, go_on = held
    loader = kind(running, group=group)

    def interrupt():
        while not group.limit._waiting:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loader(1)
    go_on.set()
    assert loader(2) == 20
    assert group.limit._waiting == 0


@needs_fork
def test_a_forked_process_has_all_permits(held):
    group, go_on = held
    loader = Loader(list, group=group)
    with child(lambda: loader(1)):
        pass
    go_on.set()
