"""The cache of loaders: its content, its lifetime and its scopes."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import MutableMapping

import pytest
from negating import each

import asynq
from asynq.loaders import Loader, Lru


def recording(**settings):
    """Returns a loader of `(key, number of the batch)`, and the list of its batches."""
    batches = []

    def function(keys):
        batches.append(list(keys))
        return {key: (key, len(batches)) for key in keys}

    return Loader(function, **settings), batches


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


def test_an_lru_keeps_the_keys_that_were_used_last():
    loader, batches = recording(cache=Lru(2))
    for key in (1, 2, 1, 3, 1, 2):
        loader(key)
    assert batches == [[1], [2], [3], [2]]


def test_an_lru_forgets_after_its_ttl():
    now = 0
    cache = Lru(10, ttl=5, clock=lambda: now)
    loader, batches = recording(cache=cache)
    loader(1)
    now = 4.9
    assert loader(1) == (1, 1)
    now = 5
    assert loader(1) == (1, 2)
    assert batches == [[1], [1]]


def test_an_lru_forgets_all_even_if_the_time_of_some_is_over():
    now = [0]
    cache = Lru(10, ttl=10, clock=lambda: now[0])
    cache["old"] = 1
    now[0] = 9
    cache["new"] = 2
    now[0] = 11
    assert cache.pop("old", None) is None
    cache["older"] = 3
    now[0] = 20
    assert cache.pop("older") == 3
    cache.clear()
    assert len(cache) == 0
    with pytest.raises(KeyError):
        cache.pop("new")


def test_clearing_all_reaches_what_is_kept_after_a_key_whose_time_is_over():
    now = [0]
    loader, batches = recording(cache=Lru(10, ttl=10, clock=lambda: now[0]))
    loader(1)
    now[0] = 9
    loader(2)
    now[0] = 11
    loader.clear_all()
    loader(2)
    assert batches == [[1], [2], [2]]


def test_a_scope_may_be_entered_inside_itself():
    loader, batches = recording()
    scope = loader.scope()
    with scope:
        with scope:
            loader(1)
        loader(1)
    loader(1)
    assert batches == [[1], [1]]


def test_an_lru_may_be_shared_between_threads():
    cache = Lru(1)
    failed = []

    def work(thread):
        try:
            for number in range(2000):
                cache[thread, number] = number
                cache.pop((thread, number), None)
        except KeyError as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert failed == []


def test_an_lru_is_a_mapping():
    cache = Lru(2)
    cache.update(a=1, b=2)
    assert (dict(cache), "a" in cache, cache.get("c"), len(cache)) == (
        {"a": 1, "b": 2},
        True,
        None,
        2,
    )
    assert cache.pop("a") == 1
    assert list(cache) == ["b"]


def test_an_lru_forgets_at_the_very_end_of_its_ttl():
    now = [0]
    cache = Lru(10, ttl=10, clock=lambda: now[0])
    cache["read"] = cache["popped"] = 1
    now[0] = 10
    assert cache.get("read") is None
    assert cache.pop("popped", None) is None


@pytest.mark.parametrize("ttl", [0, -1])
def test_an_lru_needs_a_positive_ttl(ttl):
    with pytest.raises(ValueError, match="ttl must be a positive number"):
        Lru(1, ttl=ttl)


def test_an_error_of_a_key_is_not_kept_unless_asked():
    calls = []

    def function(keys):
        calls.append(keys)
        return {key: ValueError(key) for key in keys}

    for keeps, count in ((False, 2), (True, 1)):
        calls.clear()
        loader = Loader(function, cache=True, cache_errors=keeps)
        for _ in range(2):
            with pytest.raises(ValueError, match="1"):
                loader(1)
        assert len(calls) == count


def test_a_kept_error_is_an_error_beside_a_fresh_value():
    loader = Loader(
        lambda keys: [key or ValueError("none") for key in keys], cache=True, cache_errors=True
    )
    with pytest.raises(ValueError, match="none"):
        loader(0)
    kept, fresh = loader.asynq(0), loader.asynq(1)
    assert fresh.value() == 1
    assert str(kept.error()) == "none"


def test_a_failure_of_a_batch_is_never_kept():
    down = [True]
    loader = Loader(lambda keys: 1 / 0 if down else keys, cache=True, cache_errors=True)
    with pytest.raises(asynq.LoadError):
        loader(1)
    down.clear()
    assert loader(1) == 1


# Scopes


def test_a_scope_keeps_values_for_its_block():
    loader, batches = recording()
    with loader.scope():
        assert [loader(1), loader(1)] == [(1, 1), (1, 1)]
    assert loader(1) == (1, 2)
    assert batches == [[1], [1]]


def test_scopes_follow_their_tasks():
    loader, batches = recording()

    @asynq.asynq()
    def request():
        with loader.scope():
            first = yield loader.asynq(1)
            second = yield loader.asynq(1)
            return first, second

    @asynq.asynq()
    def outside():
        first = yield loader.asynq(1)
        second = yield loader.asynq(1)
        return first, second

    @asynq.asynq()
    def both():
        return (yield request.asynq(), outside.asynq())

    assert both() == (((1, 1), (1, 1)), ((1, 1), (1, 2)))
    assert batches == [[1], [1]]


def test_the_inner_scope_counts():
    loader, batches = recording()
    with loader.scope():
        loader(1)
        with loader.scope():
            loader(1)
        loader(1)
    assert batches == [[1], [1]]


def test_a_scope_is_not_seen_by_another_thread():
    loader, batches = recording()
    with loader.scope():
        loader(1)
        thread = threading.Thread(target=loader, args=(1,))
        thread.start()
        thread.join()
        loader(1)
    assert batches == [[1], [1]]


def test_a_scope_follows_coroutines():
    loader, batches = recording()

    async def request():
        with loader.scope():
            await loader.asyncio(1)
            await asyncio.sleep(0)
            return await loader.asyncio(1)

    async def both():
        return await asyncio.gather(request(), request())

    assert asyncio.run(both()) == [(1, 1), (1, 1)]
    assert batches == [[1]]


def test_equal_keys_of_two_scopes_are_asked_for_once_and_kept_in_both():
    loader, batches = recording()

    @asynq.asynq()
    def request():
        with loader.scope():
            yield loader.asynq(1)
            return (yield loader.asynq(1))

    @asynq.asynq()
    def both():
        return (yield request.asynq(), request.asynq())

    assert both() == ((1, 1), (1, 1))
    assert batches == [[1]]


# By hand


def test_a_primed_value_is_not_asked_for():
    loader, batches = recording(cache=True)
    loader.prime(1, "known")
    assert each(loader, [1, 2]) == ["known", (2, 1)]
    assert batches == [[2]]


def test_without_a_cache_priming_does_nothing():
    loader, _ = recording()
    loader.prime(1, "known")
    assert loader(1) == (1, 1)


def test_a_cleared_key_is_asked_for_again():
    loader, batches = recording(cache=True)
    each(loader, [1, 2])
    loader.clear(1)
    each(loader, [1, 2])
    assert batches == [[1, 2], [1]]


def test_clearing_all_forgets_all():
    loader, batches = recording(cache=True)
    each(loader, [1, 2])
    loader.clear_all()
    each(loader, [1, 2])
    assert batches == [[1, 2], [1, 2]]


def test_what_was_not_sent_yet_when_it_is_cleared_is_kept():
    loader, batches = recording(cache=True)
    load = loader.asynq(1)
    loader.clear(1)
    load.value()
    loader(1)
    assert batches == [[1]]


def test_a_key_that_is_cleared_while_it_is_in_flight_is_asked_for_anew():
    sent, goes_on = threading.Event(), threading.Event()
    batches = []

    def function(keys):
        batches.append(list(keys))
        if len(batches) == 1:
            sent.set()
            assert goes_on.wait(30)
        return {key: (key, len(batches)) for key in keys}

    loader = Loader(function, cache=True, blocking=True)

    @asynq.loader
    def writes(keys):
        # While the loader waits for its first batch.
        assert sent.wait(30)
        loader.clear(1)
        return keys

    @asynq.asynq()
    def reads():
        return (yield loader.asynq(1))

    @asynq.asynq()
    def writes_then_reads():
        yield writes.asynq(1)
        again = loader.asynq(1)
        goes_on.set()
        return (yield again)

    @asynq.asynq()
    def both():
        return (yield reads.asynq(), writes_then_reads.asynq())

    both()
    assert batches == [[1], [1]]
    assert loader(1) == (1, 2)


in_another_thread = pytest.mark.parametrize("blocking", [False, True], ids=["plain", "blocking"])


@in_another_thread
def test_a_key_that_is_cleared_in_another_thread_is_not_kept(blocking):
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=blocking, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return keys

    thread = threading.Thread(target=slow, args=(1,))
    thread.start()
    assert sent.wait(30)
    slow.clear(1)
    goes_on.set()
    thread.join(30)
    assert slow(1) == 1
    assert slow.stats.batches == 2


@in_another_thread
def test_keys_that_are_in_flight_when_all_are_cleared_are_not_kept(blocking):
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=blocking, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return keys

    thread = threading.Thread(target=slow.load_many, args=([1, 2],))
    thread.start()
    assert sent.wait(30)
    slow.clear_all()
    goes_on.set()
    thread.join(30)
    assert slow.load_many([1, 2]) == [1, 2]
    assert slow.stats.batches == 2


def test_a_key_that_is_primed_while_it_is_in_flight_keeps_that_value():
    sent, goes_on = threading.Event(), threading.Event()

    @asynq.loader(blocking=True, cache=True)
    def slow(keys):
        sent.set()
        assert goes_on.wait(30)
        return ["older" for _ in keys]

    thread = threading.Thread(target=slow, args=(1,))
    thread.start()
    assert sent.wait(30)
    slow.prime(1, "newer")
    goes_on.set()
    thread.join(30)
    assert slow(1) == "newer"


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
