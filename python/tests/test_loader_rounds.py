"""Rounds on event loops: what they collect, and when they are sent."""

import asyncio

import pytest

import asynq


class Store:
    """A loader, and the sizes of the batches that it gets."""

    def __init__(self, **settings):
        self.sizes = []
        self.goes_on = asyncio.Event()

        async def load_all(keys):
            self.sizes.append(len(keys))
            await self.goes_on.wait()
            return list(keys)

        self.loader = asynq.Loader(load_all, **settings)

    def ask(self, *keys):
        return [asyncio.ensure_future(self.loader.asyncio(key)) for key in keys]


async def turns(count=30):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_round_that_waits_for_a_permit_collects_keys():
    async def main():
        store = Store(max_in_flight=1)
        waiting = store.ask(1)
        await turns()
        for key in range(2, 6):
            waiting += store.ask(key)
            await turns()
        store.goes_on.set()
        return await asyncio.gather(*waiting), store.sizes

    assert asyncio.run(main()) == ([1, 2, 3, 4, 5], [1, 4])


@pytest.mark.usefixtures("default_max_delay")
def test_keys_are_sent_although_others_keep_coming():
    async def main():
        store = Store()
        store.goes_on.set()
        waiting = []
        while not any(load.done() for load in waiting):
            waiting += store.ask(len(waiting))
            await asyncio.sleep(0)
        return len(store.sizes)

    assert asyncio.run(asyncio.wait_for(main(), 30)) > 0


def test_without_max_delay_keys_that_keep_coming_are_not_sent():
    async def main():
        store = Store(max_delay=None)
        for key in range(1000):
            store.ask(key)
            await asyncio.sleep(0)
        return store.sizes

    assert asyncio.run(main()) == []


def test_a_round_of_as_many_keys_as_a_batch_has_is_sent_at_once():
    async def main():
        store = Store(max_batch_size=2, max_delay=30.0)
        store.ask(1, 2, 3)
        await turns(6)
        return store.sizes

    assert asyncio.run(main()) == [2]


@pytest.mark.parametrize("settings", [{}, {"max_delay": 30.0}])
def test_a_round_that_is_held_is_shared(settings):
    async def main():
        store = Store(hold=0.2, **settings)
        store.goes_on.set()
        waiting = store.ask(1)
        await turns()
        waiting += store.ask(2)
        return await asyncio.gather(*waiting), store.sizes

    assert asyncio.run(main()) == ([1, 2], [2])
