"""The cache of loaders: its content, and its effect on batches."""

from __future__ import annotations

from collections.abc import MutableMapping

import pytest
from negating import each
from numbering import recording

import asynq
from asynq.loaders import Loader


def test_a_cache_keeps_values_as_long_as_the_loader_lives():
    loader, batches = recording(cache=True)
    assert [loader(1), loader(1), each(loader, [1, 2])] == [(1, 1), (1, 1), [(1, 1), (2, 2)]]
    assert batches == [[1], [2]]
    assert loader.stats.hits == 2


def test_a_kept_key_and_a_fresh_one_wake_in_the_same_round():
    rows, row_batches = recording(cache=True)
    rows(1)
    seconds, second_batches = recording()

    @asynq.asynq()
    def two_levels(key):
        yield rows.asynq(key)
        return (yield seconds.asynq(key))

    @asynq.asynq()
    def all_of_them():
        yield [two_levels.asynq(key) for key in (1, 2, 3)]

    all_of_them()
    assert row_batches == [[1], [2, 3]]
    assert second_batches == [[1, 2, 3]]


def test_the_function_is_not_called_for_kept_keys_alone():
    loader, batches = recording(cache=True)
    each(loader, [1, 2])
    assert each(loader, [2, 1]) == [(2, 1), (1, 1)]
    assert batches == [[1, 2]]


def test_a_call_of_a_kept_key_flushes_nothing():
    loader, batches = recording(cache=True)
    loader(1)
    waiting = loader.asynq(2)
    assert loader(1) == (1, 1)
    assert batches == [[1]]
    assert waiting.value() == (2, 2)


@asynq.asynq()
def two_levels(first, second, key):
    yield first.asynq(key)
    return (yield second.asynq(key))


@asynq.asynq()
def two_levels_of_all(first, second, keys):
    return (yield [two_levels.asynq(first, second, key) for key in keys])


def plain(keys):
    return list(keys)


async def coroutine(keys):
    return list(keys)


@asynq.asynq()
def task(keys):
    yield None
    return list(keys)


@pytest.mark.parametrize(
    ("function", "blocking"),
    [(plain, False), (plain, True), (coroutine, False), (task, False)],
)
@pytest.mark.parametrize("settings", [{}, {"max_batch_size": 1}])
def test_a_cached_key_resolves_with_the_last_keys_that_are_sent(function, blocking, settings):
    first = Loader(function, cache=True, blocking=blocking, **settings)
    first(1)
    order = []

    @asynq.asynq()
    def wait(key):
        yield first.asynq(key)
        order.append(key)

    @asynq.asynq()
    def main():
        yield [wait.asynq(key) for key in (2, 1, 3)]

    main()
    assert sorted(order) == [1, 2, 3]
    assert order.index(1) > 0


def test_a_cached_key_splits_no_later_batch_of_a_blocking_loader():
    first = Loader(plain, cache=True, blocking=True)
    first(1)
    second, batches = recording()
    two_levels_of_all(first, second, [1, 2])
    assert batches == [[1, 2]]


def test_a_cached_key_has_its_value_if_the_batch_fails():
    down = []
    loader = Loader(lambda keys: 1 / 0 if down else keys, cache=True)
    loader(1)
    down.append(True)
    values = loader.load_many([1, 2], return_exceptions=True)
    assert (values[0], type(values[1])) == (1, asynq.LoadError)


def test_waiting_for_cached_keys_sends_no_other_key():
    loader, batches = recording(cache=True)
    loader(1)

    @asynq.asynq()
    def main():
        pending = loader.asynq(2)
        for _ in range(3):
            yield loader.asynq(1)
        sent = len(batches)
        another = loader.asynq(3)
        yield loader.asynq(1), loader.asynq(1)
        return sent, len(batches), (yield another, pending)

    assert main() == (1, 1, ((3, 2), (2, 2)))
    assert batches == [[1], [2, 3]]


def test_waiting_for_cached_keys_alone_keeps_no_loads(no_garbage_yet):
    loader, _ = recording(cache=True)
    loader(1)

    @asynq.asynq()
    def main():
        pending = loader.asynq(2)
        for _ in range(100):
            yield loader.asynq(1)
        return len(pending.batch.items)

    assert main() == 1


def test_any_mapping_is_a_cache():
    class Shouting(MutableMapping):
        def __init__(self):
            self.kept = {}

        def __getitem__(self, key):
            return self.kept[str(key)]

        def __setitem__(self, key, value):
            self.kept[str(key)] = value

        def __delitem__(self, key):
            del self.kept[str(key)]

        def __iter__(self):
            return iter(self.kept)

        def __len__(self):
            return len(self.kept)

    cache = Shouting()
    loader, batches = recording(cache=cache)
    each(loader, [1, 2])
    assert cache.kept == {"1": (1, 1), "2": (2, 1)}
    assert each(loader, [1]) == [(1, 1)]
    loader.clear(1)
    assert list(cache) == ["2"]
    assert batches == [[1, 2]]


def test_a_cache_that_cannot_be_written_fails_no_load(capsys, monkeypatch):
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda what: reported.append(what.exc_value))

    class Full(dict):
        def __setitem__(self, key, value):
            raise OSError("full")

    loader, _ = recording(cache=Full())
    assert each(loader, [1, 2]) == [(1, 1), (2, 1)]
    assert [str(error) for error in reported] == ["full", "full"]


def test_a_cache_that_cannot_be_read_fails_where_the_key_is_asked_for():
    class Broken(dict):
        def __getitem__(self, key):
            raise OSError("broken")

    loader, _ = recording(cache=Broken())
    with pytest.raises(OSError, match="broken"):
        loader.asynq(1)


@pytest.mark.parametrize("waits", [False, True])
def test_a_subscriber_of_a_cached_load_may_load_more(waits):
    loader = Loader(list, cache=True)
    loader(1)
    loads = []

    def load_more(_):
        loads.append(loader(3) if waits else loader.asynq(3))

    @asynq.asynq()
    def page():
        uncached, cached = loader.asynq(2), loader.asynq(1)
        cached.on_computed.subscribe(load_more)
        first = yield cached  # Waits for a cached key alone.
        second = yield uncached
        return first, second, loads[0] if waits else (yield loads[0])

    assert page() == (1, 2, 3)
    assert loader.stats.batches == 2
