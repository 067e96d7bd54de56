"""Loaders keep nothing of a batch whose loads are resolved."""

import asyncio
import weakref

import pytest

import asynq


class Row:
    """A value that a weak reference can watch."""


ROUNDS, KEYS = 5, 10


@pytest.fixture
def alive():
    return weakref.WeakSet()


def rows(alive, ids):
    found = {id: Row() for id in ids}
    alive.update(found.values())
    return found


def new_loader(kind, alive, **settings):
    def plain(ids):
        return rows(alive, ids)

    async def coroutine(ids):
        return rows(alive, ids)

    @asynq.asynq()
    def task(ids):
        return rows(alive, ids)

    functions = {"plain": plain, "blocking": plain, "coroutine": coroutine, "task": task}
    return asynq.Loader(functions[kind], blocking=kind == "blocking", **settings)


def one_by_one(loader, keys):
    for key in keys:
        yield loader.asynq(key)


def together(loader, keys):
    yield [loader.asynq(key) for key in keys]


def by_load_many(loader, keys):
    yield loader.load_many.asynq(keys)


def by_tasks(loader, keys):
    @asynq.asynq()
    def child(key):
        return (yield loader.asynq(key))

    yield [child.asynq(key) for key in keys]


@pytest.mark.parametrize("kind", ["plain", "blocking", "coroutine", "task"])
@pytest.mark.parametrize("ask", [one_by_one, together, by_load_many, by_tasks])
@pytest.mark.parametrize("settings", [{}, {"priority": 1}, {"max_batch_size": 3}])
def test_values_of_a_batch_die_before_the_call_ends(no_garbage_yet, alive, kind, ask, settings):
    loader = new_loader(kind, alive, **settings)
    counts = []

    @asynq.asynq()
    def main():
        for number in range(ROUNDS):
            keys = range(number * KEYS, (number + 1) * KEYS)
            yield from ask(loader, keys)
            counts.append(len(alive))

    main()
    assert max(counts) <= KEYS


@pytest.mark.parametrize("kind", ["plain", "blocking", "coroutine", "task"])
@pytest.mark.parametrize("as_tasks", [False, True], ids=["gather", "create_task"])
def test_values_of_a_batch_die_before_the_coroutine_ends(no_garbage_yet, alive, kind, as_tasks):
    loader = new_loader(kind, alive)

    async def main():
        counts = []
        for number in range(ROUNDS):
            loads = [loader.asyncio((number, key)) for key in range(KEYS)]
            if as_tasks:
                loads = [asyncio.create_task(load) for load in loads]
            await asyncio.gather(*loads)
            del loads
            counts.append(len(alive))
        return counts

    assert max(asyncio.run(main())) <= KEYS


def test_loads_of_one_batch_die_while_another_batch_is_open(no_garbage_yet, alive):
    loader = new_loader("plain", alive)
    other = asynq.Loader(list)

    @asynq.asynq()
    def main():
        open_load = other.asynq(1)
        yield loader.asynq(1)
        yield None
        count = len(alive)
        return count, (yield open_load)

    assert main() == (0, 1)
