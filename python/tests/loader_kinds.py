"""Loaders with each kind of batch function, and ways to load from several of them at once."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import asynq
from asynq.loaders import Loader

SECONDS = 30  # After which a test that waits in vain fails.


class Running:
    """Counts the batch functions that are running."""

    def __init__(self):
        self.now = self.most = self.calls = 0
        self.lock = threading.Lock()

    def __enter__(self):
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *exception):
        with self.lock:
            self.now -= 1


def nothing(keys):
    return []


def plain(running, load=nothing, **settings):
    def function(keys):
        with running:
            time.sleep(0.001)
        load(keys)
        return [10 * key for key in keys]

    return Loader(function, **settings)


def blocking(running, load=nothing, **settings):
    return plain(running, load, blocking=True, **settings)


def coroutine(running, load=nothing, **settings):
    async def function(keys):
        with running:
            await asyncio.sleep(0.001)
        await asyncio.gather(*load(keys, lambda loader, key: loader.asyncio(key)))
        return [10 * key for key in keys]

    if load is nothing:
        load = lambda keys, ask: []  # noqa: E731
    return Loader(function, **settings)


tick = Loader(lambda keys: time.sleep(0.001) or keys, blocking=True)


def task(running, load=nothing, **settings):
    @asynq.asynq()
    def function(keys):
        with running:
            time.sleep(0.001)
        yield tick.asynq(1)
        if load is not nothing:
            yield load(keys, lambda loader, key: loader.asynq(key))
        return [10 * key for key in keys]

    return Loader(function, **settings)


def asking(kind, inner, running, **settings):
    """A loader of this kind, whose function loads its keys from another one."""
    if kind in (plain, blocking):
        return kind(running, inner.load_many, **settings)
    return kind(running, lambda keys, ask: [ask(inner, key) for key in keys], **settings)


KINDS = [plain, blocking, coroutine, task]
kinds = pytest.mark.parametrize("kind", KINDS)
inner_kinds = pytest.mark.parametrize("inner_kind", KINDS)


def synchronously(loads):
    """Loads pairs of a loader and a key, together."""

    @asynq.asynq()
    def load_all():
        return (yield [loader.asynq(key) for loader, key in loads])

    return load_all()


def in_coroutines(loads):
    async def load_all():
        together = asyncio.gather(*[loader.asyncio(key) for loader, key in loads])
        return await asyncio.wait_for(together, SECONDS)

    return asyncio.run(load_all())


def in_threads(loads):
    with ThreadPoolExecutor(len(loads)) as pool:
        return list(pool.map(lambda load: load[0](load[1]), loads))


ways = pytest.mark.parametrize("load_all", [synchronously, in_coroutines, in_threads])
