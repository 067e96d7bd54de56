"""Loaders on an event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest

import asynq
from asynq import LoadError, LoadTimeoutError
from asynq.loaders import Loader


def recording(**settings):
    batches = []

    def negated(keys):
        batches.append(list(keys))
        return {key: -key for key in keys}

    return Loader(negated, **settings), batches


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


async def each(loader, keys):
    return await asyncio.gather(*[loader.asyncio(key) for key in keys])


def test_coroutines_share_a_batch():
    loader, batches = recording()
    assert run(each(loader, [1, 2, 1])) == [-1, -2, -1]
    assert batches == [[1, 2]]


def test_coroutines_of_uneven_depth_share_a_batch():
    loader, batches = recording(max_delay=None)

    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await loader.asyncio(turns)

    async def all_of_them():
        await asyncio.gather(*[after(turns) for turns in range(20)])

    run(all_of_them())
    assert batches == [list(range(20))]


def test_async_functions_in_asyncio_mode_share_a_batch():
    loader, batches = recording()

    @asynq.asynq()
    def below(key):
        return (yield loader.asynq(key))

    @asynq.asynq()
    def all_of_them():
        return (yield loader.asynq(1), [below.asynq(2), below.asynq(3)])

    assert run(all_of_them.asyncio()) == (-1, [-2, -3])
    assert batches == [[1, 2, 3]]


@pytest.mark.parametrize("kind", ["plain", "blocking", "async", "asynq"])
def test_every_kind_of_function_runs_on_a_loop(kind):
    def plain(keys):
        return [-key for key in keys]

    async def coroutine(keys):
        await asyncio.sleep(0)
        return plain(keys)

    @asynq.asynq()
    def ours(keys):
        yield None
        return plain(keys)

    function = {"async": coroutine, "asynq": ours}.get(kind, plain)
    loader = Loader(function, blocking=kind == "blocking", max_batch_size=2)
    assert run(each(loader, [1, 2, 3])) == [-1, -2, -3]
    assert loader.stats.batches == 2


def test_a_loader_of_an_async_function_joins_later_rounds():
    inner, batches = recording(max_delay=None)

    @asynq.loader
    @asynq.asynq()
    def outer(keys):
        return (yield [inner.asynq(key) for key in keys])

    async def both():
        return await asyncio.gather(outer.asyncio(1), inner.asyncio(2), outer.asyncio(3))

    assert run(both()) == [-1, -2, -3]
    assert batches == [[2, 1, 3]]


def test_a_coroutine_runs_on_the_loop_that_asks():
    async def function(keys):
        return [asyncio.get_running_loop() for _ in keys]

    async def main():
        return await Loader(function).asyncio(1) is asyncio.get_running_loop()

    assert run(main())


def test_flushes_overlap():
    meeting = threading.Barrier(3)

    def function(keys):
        meeting.wait(30)
        return keys

    loaders = [Loader(function, blocking=True) for _ in range(3)]

    async def all_of_them():
        return await asyncio.gather(*[loader.asyncio(1) for loader in loaders])

    assert run(all_of_them()) == [1, 1, 1]


def test_a_key_in_flight_is_not_asked_for_again():
    batches = []

    async def main():
        sent, goes_on = asyncio.Event(), asyncio.Event()

        async def function(keys):
            batches.append(keys)
            sent.set()
            await goes_on.wait()
            return keys

        loader = Loader(function)
        first = asyncio.ensure_future(loader.asyncio(7))
        await sent.wait()
        second = asyncio.ensure_future(loader.asyncio(7))
        await asyncio.sleep(0)
        goes_on.set()
        return await asyncio.gather(first, second)

    assert run(main()) == [7, 7]
    assert batches == [[7]]


def test_one_caller_that_is_cancelled_leaves_the_others_alone():
    loader, batches = recording()

    async def main():
        first = asyncio.ensure_future(loader.asyncio(1))
        second = asyncio.ensure_future(loader.asyncio(1))
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert second == -1
    assert batches == [[1]]


def test_errors_name_loader_and_key():
    async def function(keys):
        raise ValueError("no store")

    loader = Loader(function, name="user")
    with pytest.raises(LoadError, match="loader user, key 1: ValueError: no store"):
        run(loader.asyncio(1))


def test_a_flush_that_takes_too_long_fails_its_items():
    async def function(keys):
        await asyncio.sleep(30)

    loader = Loader(function, timeout=0.01)
    with pytest.raises(LoadTimeoutError):
        run(loader.asyncio(1))


def test_a_limit_holds_on_a_loop():
    under_way = [0, 0]

    async def function(keys):
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0)
        under_way[0] -= 1
        return keys

    loader = Loader(function, max_batch_size=1, max_in_flight=2)
    assert run(each(loader, range(6))) == list(range(6))
    assert under_way == [0, 2]


def test_a_kept_key_and_a_fresh_one_wake_in_the_same_turn():
    loader, batches = recording(cache=True)
    following, following_batches = recording()

    async def two_levels(key):
        await loader.asyncio(key)
        return await following.asyncio(key)

    async def main():
        await loader.asyncio(1)
        await asyncio.gather(*[two_levels(key) for key in (1, 2, 3)])

    run(main())
    assert batches == [[1], [2, 3]]
    assert [sorted(batch) for batch in following_batches] == [[1, 2, 3]]


def test_the_batch_of_higher_priority_goes_first():
    log = []
    low = Loader(lambda keys: log.append("low") or keys)
    high = Loader(lambda keys: log.append("high") or keys, priority=1)

    async def both():
        await asyncio.gather(low.asyncio(1), high.asyncio(1))

    run(both())
    assert log == ["high", "low"]


def test_a_task_on_a_loop_may_call_a_loader_synchronously():
    loader, batches = recording()

    @asynq.asynq()
    def calls():
        return loader(1)

    with pytest.warns(RuntimeWarning, match="is called synchronously on a running event loop"):
        assert run(calls.asyncio()) == -1
    assert batches == [[1]]


def test_one_loader_serves_several_loops():
    loader, batches = recording()
    assert [run(each(loader, [1])), run(each(loader, [1])), loader(1)] == [[-1], [-1], -1]
    assert batches == [[1], [1], [1]]


class Opaque(asyncio.SelectorEventLoop):
    """An event loop that hides what can run."""

    def __getattribute__(self, name):
        if name == "_ready" and sys._getframe(1).f_code.co_name == "_run":  # A callback asks.
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_a_loop_that_does_not_tell_what_can_run_is_given_some_turns():
    loader, batches = recording(max_delay=None)

    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await loader.asyncio(turns)

    async def all_of_them():
        await asyncio.gather(*[after(turns) for turns in (0, 1, 4, 50)])

    loop = Opaque()
    try:
        loop.run_until_complete(all_of_them())
    finally:
        loop.close()
    assert batches == [[0, 1, 4, 50]]


def test_the_parts_of_a_large_batch_overlap():
    meeting = threading.Barrier(3)

    @asynq.loader(blocking=True, max_batch_size=1)
    def function(keys):
        meeting.wait(30)
        return keys

    assert run(each(function, range(3))) == [0, 1, 2]


def test_a_timeout_of_the_function_is_its_own():
    async def function(keys):
        raise TimeoutError("the socket")

    with pytest.raises(LoadError, match="TimeoutError: the socket"):
        run(Loader(function, timeout=30).asyncio(1))


def test_a_deadline_holds_for_a_function_that_does_not_let_itself_be_cancelled():
    async def main():
        over = asyncio.Event()

        async def function(keys):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                await over.wait()

        with pytest.raises(LoadTimeoutError):
            await Loader(function, timeout=0.01).asyncio(1)
        over.set()

    run(main())


def test_a_part_that_is_cancelled_leaves_the_others_alone():
    async def function(keys):
        if keys == [1]:
            raise asyncio.CancelledError
        await asyncio.sleep(0)
        return keys

    loader = Loader(function, max_batch_size=1)

    async def main():
        return await asyncio.gather(
            *[loader.asyncio(key) for key in range(3)], return_exceptions=True
        )

    first, second, third = run(main())
    assert (first, third) == (0, 2)
    assert isinstance(second, asyncio.CancelledError)


def test_a_loop_that_is_closed_before_its_turn_keeps_no_permit():
    goes_on = threading.Event()

    @asynq.loader(blocking=True, max_in_flight=1)
    def slow(keys):
        assert goes_on.wait(30)
        return keys

    first = slow.asynq(0)
    first.batch.flush()

    async def asks():
        left_alone = asyncio.ensure_future(slow.asyncio(1))
        # Until it waits for a permit.
        while not slow.limit._waiting:
            await asyncio.sleep(0)
        assert not left_alone.done()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asks())
    loop.close()
    goes_on.set()
    assert (first.value(), slow(2)) == (0, 2)


LEFT_ALONE = """
    import asyncio, asynq

    @asynq.loader
    async def stuck(keys):
        await asyncio.Event().wait()

    async def asks():
        global left_alone
        left_alone = asyncio.ensure_future(stuck.asyncio(1))
        left_alone._log_destroy_pending = False
        while not stuck._in_flight():
            await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asks())
    loop.close()
"""


def test_a_program_can_end_with_a_batch_in_flight_on_a_closed_loop():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LEFT_ALONE)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert "Exception ignored" not in done.stderr
    assert "panic" not in done.stderr


FREED = """
    import asyncio, gc, asynq

    def leave_alone():
        @asynq.loader
        async def stuck(keys):
            loop.stop()
            await asyncio.Event().wait()

        loop = asyncio.new_event_loop()
        left_alone = loop.create_task(stuck.asyncio(1))
        loop.run_forever()
        loop.close()

    leave_alone()
    gc.collect()
"""


def test_a_batch_in_flight_on_a_closed_loop_is_freed_without_errors_of_asynq():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FREED)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0
    assert "Task was destroyed but it is pending" in done.stderr  # By asyncio.
    assert "Event loop is closed" not in done.stderr


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_batch_function_of_a_task_in_asyncio_mode_may_call_synchronously():
    inner = Loader(lambda keys: keys)
    loaders = [
        Loader(lambda keys: inner.load_many(keys), blocking=True),
        Loader(lambda keys: inner.load_many(keys)),
    ]

    async def function(keys):
        await asyncio.sleep(0)
        return inner.load_many(keys)

    loaders.append(Loader(function))

    @asynq.asynq()
    def load_all():
        return (yield [loader.asynq(1) for loader in loaders])

    assert asyncio.run(load_all.asyncio()) == [1, 1, 1]
