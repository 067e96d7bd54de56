"""`Lru`, a cache of limited size whose values may expire."""

import sys
import threading

import pytest
from numbering import recording

from asynq.loaders import Lru


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


def test_an_lru_can_be_looped_over_while_reading_moves_its_keys():
    cache = Lru(3)
    cache.update(a=1, b=2)
    assert list(cache.items()) == [("a", 1), ("b", 2)]
    assert list(cache.values()) == [1, 2]
    assert cache == {"a": 1, "b": 2}


def test_an_lru_does_not_list_what_has_expired():
    now = [0]
    cache = Lru(3, ttl=10, clock=lambda: now[0])
    cache["old"] = 1
    now[0] = 5
    cache["new"] = 2
    now[0] = 12
    assert dict(cache) == {"new": 2}
