"""A mapping is the cache of one loader."""

import gc

import pytest

from asynq.loaders import Loader, Lru


class Mapping(dict):
    """It can be weakly referenced, unlike a dict."""


MAPPINGS = [lambda: Lru(10), dict, Mapping]


def first(keys):
    return [f"first {key}" for key in keys]


def second(keys):
    return [f"second {key}" for key in keys]


@pytest.mark.parametrize("new", MAPPINGS)
def test_the_cache_of_another_loader_is_refused(new):
    cache = new()
    loader = Loader(first, cache=cache)
    with pytest.raises(ValueError, match="cache of the loader second belongs to the loader first"):
        Loader(second, cache=cache)
    assert loader(1) == "first 1"


def test_an_lru_stays_claimed_when_its_loader_is_gone():
    cache = Lru(10)
    Loader(first, cache=cache)(1)
    gc.collect()
    with pytest.raises(ValueError, match="belongs to the loader first"):
        Loader(second, cache=cache)


def test_equal_mappings_are_different_caches():
    loaders = [Loader(function, cache=Lru(10)) for function in (first, second)]
    assert [loader(1) for loader in loaders] == ["first 1", "second 1"]


def test_loaders_of_the_same_name_share_a_cache():
    cache = Lru(10)
    loaders = [Loader(function, cache=cache, name="rows") for function in (first, second)]
    assert [loader(1) for loader in loaders] == ["first 1", "first 1"]


def test_a_new_version_of_a_function_has_the_cache_of_the_old_one():
    cache = Lru(10)
    assert [Loader(first, cache=cache)(1) for _ in range(2)] == ["first 1", "first 1"]


def test_functions_that_were_made_in_a_function_do_not_share_a_cache():
    def make(table, cache):
        def rows(keys):
            return [f"{table} {key}" for key in keys]

        return Loader(rows, cache=cache)

    cache = Lru(10)
    make("users", cache)
    with pytest.raises(ValueError, match="would mix"):
        make("orgs", cache)


def test_a_new_mapping_at_the_same_address_is_free():
    for _ in range(100):
        Loader(first, cache={})
        Loader(second, cache=Mapping())
