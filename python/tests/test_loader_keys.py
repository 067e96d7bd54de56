"""Keys of loaders that cannot be hashed, and the key function."""

import asyncio
import pickle
import uuid

import pytest
from negating import each

import asynq
from asynq.loaders import Loader


def of_dict(query):
    return tuple(sorted(query.items()))


def recording(function=list, **settings):
    batches = []

    def fetch(keys):
        batches.append(list(keys))
        return function(keys)

    return Loader(fetch, name="search", **settings), batches


def test_the_function_gets_the_keys_as_they_were_asked_for():
    loader, batches = recording(key=of_dict)
    keys = [{"a": 1}, {"b": 2}]
    assert each(loader, keys) == keys
    assert loader({"c": 3}) == {"c": 3}
    assert batches == [keys, [{"c": 3}]]


def test_keys_with_equal_values_are_asked_for_once():
    loader, batches = recording(key=of_dict)
    each(loader, [{"a": 1, "b": 2}, {"b": 2, "a": 1}])
    assert batches == [[{"a": 1, "b": 2}]]


def test_an_answer_that_is_a_mapping_has_the_values_as_keys():
    loader, _ = recording(
        lambda keys: {of_dict(key): sum(key.values()) for key in keys}, key=of_dict
    )
    assert each(loader, [{"a": 1}, {"a": 1, "b": 2}]) == [1, 3]


def test_a_cache_has_the_values_as_keys():
    cache = {}
    loader, batches = recording(lambda keys: [1 for _ in keys], key=of_dict, cache=cache)
    loader({"a": 1})
    loader.prime({"b": 2}, 20)
    loader.prime_many([({"c": 3}, 30)])
    assert cache == {(("a", 1),): 1, (("b", 2),): 20, (("c", 3),): 30}
    assert [loader({"a": 1}), loader({"b": 2}), loader({"c": 3})] == [1, 20, 30]
    loader.clear({"a": 1})
    loader({"a": 1})
    assert len(batches) == 2


def test_coroutines_use_the_key_function():
    loader, batches = recording(key=of_dict)

    async def main():
        return await asyncio.gather(*(loader.asyncio({"a": 1}) for _ in range(3)))

    assert asyncio.run(main()) == [{"a": 1}] * 3
    assert batches == [[{"a": 1}]]


def test_a_method_uses_the_key_function():
    class Store:
        @asynq.loader(key=of_dict, cache=True)
        def search(self, queries):
            return [len(query) for query in queries]

    store = Store()
    assert [store.search({"a": 1}), store.search({"a": 1})] == [1, 1]
    assert store.search.stats.keys == 1


def test_the_error_of_a_key_names_the_key():
    loader, _ = recording(lambda keys: {}, key=of_dict)
    with pytest.raises(asynq.MissingKeyError, match=r"loader search, key \{'a': 1\}"):
        loader({"a": 1})


@pytest.mark.parametrize("key", [{}, [], (1, []), set()], ids=repr)
@pytest.mark.parametrize("settings", [{}, {"cache": True}], ids=repr)
@pytest.mark.parametrize("method", ["__call__", "asynq", "clear", "prime"])
def test_a_key_that_cannot_be_hashed_is_an_error_that_says_so(key, settings, method):
    loader, _ = recording(**{"cache": True} if method == "prime" else settings)
    arguments = (key, 1) if method == "prime" else (key,)
    with pytest.raises(
        TypeError, match=r"the loader search needs hashable keys.*Give it key="
    ) as info:
        getattr(loader, method)(*arguments)
    assert "unhashable" in str(info.value.__cause__)


def test_a_value_that_cannot_be_hashed_is_an_error_that_says_so():
    loader, _ = recording(key=list)
    with pytest.raises(
        TypeError, match="the key function of the loader search must return hashable"
    ):
        loader("ab")


def test_a_key_function_that_fails_fails_where_the_key_is_asked_for():
    loader, batches = recording(key=of_dict)
    with pytest.raises(AttributeError):
        loader.asynq(7)
    assert each(loader, [{}]) == [{}]
    assert batches == [[{}]]


def test_a_key_function_must_be_a_function():
    with pytest.raises(TypeError, match="key must be a function, got 'id'"):
        Loader(list, key="id")


# Many keys


def failing(keys):
    return [key if key > 0 else ValueError(f"bad {key}") for key in keys]


def test_errors_are_returned_beside_values():
    loader, batches = recording(failing)
    values = loader.load_many([1, 0, 2, 0], return_exceptions=True)
    assert list(map(repr, values)) == ["1", "ValueError('bad 0')", "2", "ValueError('bad 0')"]
    assert batches == [[1, 0, 2]]


def test_errors_are_returned_to_tasks_and_coroutines():
    loader, _ = recording(failing)

    @asynq.asynq()
    def task():
        return (yield loader.load_many.asynq([1, 0], return_exceptions=True))

    async def coroutine():
        return await loader.load_many.asyncio([1, 0], return_exceptions=True)

    for values in (task(), asyncio.run(coroutine())):
        assert list(map(repr, values)) == ["1", "ValueError('bad 0')"]


def test_without_return_exceptions_the_first_error_is_raised():
    loader, _ = recording(failing)
    with pytest.raises(ValueError, match="bad 0"):
        loader.load_many([1, 0, -1])


def test_a_key_that_cannot_be_hashed_fails_alone():
    loader, _ = recording()
    values = loader.load_many([1, [], 2], return_exceptions=True)
    assert [type(value) for value in values] == [int, TypeError, int]


def test_a_failure_of_the_batch_is_returned_for_each_key():
    loader, _ = recording(lambda keys: 1 / 0)
    values = loader.load_many([1, 2], return_exceptions=True)
    assert [value.key for value in values] == [1, 2]


@pytest.mark.parametrize(
    "values", [{1: "a", 2: "b"}, [(1, "a"), (2, "b")], iter([(1, "a"), (2, "b")])]
)
def test_several_values_are_primed(values):
    loader, batches = recording(cache=True)
    loader.prime_many(values)
    assert loader.load_many([1, 2]) == ["a", "b"]
    assert batches == []


def test_priming_without_a_cache_does_nothing():
    loader, batches = recording()
    loader.prime_many({1: "a"})
    assert loader(1) == 1
    assert batches == [[1]]


# Keys with one hash


KINDS = {
    "int": int,
    "UUID": lambda number: uuid.UUID(int=number),
    "tuple": lambda number: ("tenant", number),
    "tuple of a tuple": lambda number: ((number, uuid.UUID(int=number)),),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_keys_that_python_gives_one_hash_are_not_compared_with_each_other(kind):
    comparisons = []

    class Nosy:
        def __hash__(self):
            return hash(kind(2**61 - 1))

        def __eq__(self, other):
            comparisons.append(other)
            return self is other

    loader, _ = recording()
    keys = [kind(number * (2**61 - 1)) for number in range(1, 200)]
    assert {hash(key) for key in keys} == {hash(Nosy())}
    loads = [loader.asynq(key) for key in keys]
    loader.asynq(Nosy())
    assert len(comparisons) < 10
    assert [load.value() for load in loads] == keys


@pytest.mark.parametrize("key", [2**61 - 1, -(2**61), 2**63, 10**100, (1, (2**61 - 1, "x"))])
def test_large_ints_are_keys_like_others(key):
    loader, batches = recording(cache=True)
    assert loader.asynq(key) is loader.asynq(pickle.loads(pickle.dumps(key)))
    assert each(loader, [key, 1]) == [key, 1]
    loader.clear(key)
    assert [loader(key), loader(key)] == [key, key]
    assert batches == [[key, 1], [key]]
