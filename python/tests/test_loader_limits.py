"""Limits of the requests in flight, of one loader and of all."""

from __future__ import annotations

import _thread
import asyncio
import itertools
import threading

import pytest

import asynq
from asynq import LoadError, LoadTimeoutError
from asynq._asynq import Limit, Permits
from asynq.loaders import (
    Group,
    Loader,
    event_loop_thread,
    request,
    running_function,
    set_max_in_flight,
)

SECONDS = 30  # After which a test that waits in vain fails.


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


@asynq.asynq()
def one_of_each(loaders):
    return (yield [loader.asynq(1) for loader in loaders])


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

    def __getattr__(self, name):
        return getattr(self.real, name)


@pytest.mark.parametrize("is_blocking", [True, False], ids=["blocking", "async def"])
def test_a_batch_that_cannot_begin_fails_and_gives_its_permit_back(monkeypatch, is_blocking):
    async def coroutine(keys):
        return keys

    function = list if is_blocking else coroutine
    loader = Loader(function, blocking=is_blocking, max_batch_size=1, max_in_flight=1)
    if is_blocking:
        pool = Failing(request.thread_pool, {1, 3})
        monkeypatch.setattr(running_function, "thread_pool", pool)
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


@pytest.mark.parametrize("is_first", [True, False])
def test_a_request_that_keeps_a_nested_one_waiting_is_nested(is_first):
    own, shared = Limit(1), Limit(1)
    lender, other, nested = Permits([shared]), Permits([own, shared]), Permits([own])
    begun = []
    lender.acquire(lambda: None)
    lender.lend()
    other.acquire(lambda: begun.append("other"))
    assert begun == []  # What was lent is for nested requests.
    if is_first:
        nested.nest()
    nested.acquire(lambda: begun.append("nested"))
    nested.nest()
    assert begun == ["other"]
    other.release()
    assert begun == ["other", "nested"]


class CleansUp:
    """A function that ends a while after it was cancelled."""

    def __init__(self):
        self.running = self.most = 0
        self.may_end = asyncio.Event()

    async def __call__(self, keys):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if keys == ["stuck"]:
                await asyncio.Event().wait()
            return keys
        finally:
            if keys == ["stuck"]:
                await self.may_end.wait()
            self.running -= 1


def limited_alone(function, **settings):
    return Loader(function, max_in_flight=1, **settings)


def limited_in_a_group(function, **settings):
    return Loader(function, group=Group(max_in_flight=1), **settings)


@pytest.mark.parametrize("limited", [limited_alone, limited_in_a_group])
def test_a_cancelled_coroutine_keeps_its_permit_until_it_has_ended(limited):
    async def main():
        function = CleansUp()

        async def coroutine(keys):
            return await function(keys)

        loader = limited(coroutine)
        stuck = asyncio.ensure_future(loader.asyncio("stuck"))
        while not function.running:
            await asyncio.sleep(0)
        stuck.cancel()
        other = loader.asyncio(2)
        for _ in range(100):
            await asyncio.sleep(0)
        assert function.running == 1
        function.may_end.set()
        assert await other == 2
        return function.most

    assert asyncio.run(main()) == 1


def test_a_late_coroutine_keeps_its_permit_until_it_has_ended():
    running = []
    may_end = threading.Event()

    async def function(keys):
        running.append(keys)
        try:
            await asyncio.Event().wait()
        finally:
            while not may_end.is_set():
                await asyncio.sleep(0)

    loader = Loader(function, max_in_flight=1, timeout=0.01)
    keys = itertools.count()
    try:
        while not running:  # A busy machine may give a key up before it is sent.
            with pytest.raises(LoadTimeoutError):
                loader(next(keys))
        with pytest.raises(LoadTimeoutError, match="max_in_flight requests were in flight"):
            loader(next(keys))
        assert len(running) == 1
    finally:
        may_end.set()
