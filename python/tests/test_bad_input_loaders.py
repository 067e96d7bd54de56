"""Bad arguments of loaders and stores raise an error that names the argument and its value."""

import asyncio
import re

import pytest

import asynq.loaders
from asynq import Loader
from asynq.loaders import Lru, set_max_in_flight
from asynq.stores.sqlite import Sqlite

# Loaders


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"nope": 1}, TypeError, "unknown setting of a loader: nope"),
        ({"name": 7}, TypeError, "name must be a str, got 7"),
        ({"blocking": "no"}, TypeError, "blocking must be True or False, got 'no'"),
        (
            {"cache_errors": 1},
            TypeError,
            "cache_errors must be True, False or a function .*, got 1",
        ),
        ({"timeout": "5"}, TypeError, "timeout must be a number of seconds, got '5'"),
        ({"timeout": True}, TypeError, "timeout must be a number of seconds, got True"),
        ({"priority": float("nan")}, TypeError, "priority must be a number, got nan"),
        ({"max_in_flight": True}, TypeError, "max_in_flight must be an int, got True"),
        ({"max_batch_size": 0}, ValueError, "max_batch_size must be 1 or more, got 0"),
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [asynq.loader, lambda **settings: Loader(list, **settings)])
def test_a_setting_of_another_type_is_refused_where_it_is_given(make, settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


def test_a_loader_is_initialized_once():
    loader = Loader(list, cache=True)
    loader(1)
    with pytest.raises(RuntimeError, match="the loader list cannot be initialized again"):
        loader.__init__(list)
    assert loader(1) == 1
    assert loader.stats.hits == 1


def test_the_attributes_of_a_batch_function_hide_no_method():
    def function(keys):
        return keys

    function.clear = function.settings = None
    loader = Loader(function, cache=True)
    assert loader(1) == 1
    loader.clear(1)
    assert loader(1) == 1
    assert loader.stats.batches == 2


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), ("5", TypeError), (True, TypeError)])
def test_the_limit_of_all_loaders_is_a_count(count, error):
    with pytest.raises(error, match="max_in_flight must be"):
        set_max_in_flight(count)


def test_a_loader_that_is_half_made():
    class Half(Loader):
        def __init__(self):
            pass

    message = r"Half.__init__\(\) must call super\(\).__init__"
    with pytest.raises(TypeError, match=message):
        Half()(1)
    with pytest.raises(TypeError, match=message):
        asyncio.run(Half().asyncio(1))
    for use in (repr, lambda half: half.clear(1), lambda half: half.stats, Half.scope):
        with pytest.raises(TypeError, match=message):
            use(Half())


# A cache of limited size


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("5",), TypeError, "capacity must be an int, got '5'"),
        ((True,), TypeError, "capacity must be an int, got True"),
        ((5, "1"), TypeError, "ttl must be a number of seconds, got '1'"),
        ((5, 1, 7), TypeError, "clock must be a function, got 7"),
    ],
    ids=str,
)
def test_an_argument_of_an_lru_of_another_type_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Lru(*arguments)


# Stores


@pytest.mark.parametrize("database", [7, None, []], ids=repr)
def test_a_database_that_is_no_path_is_refused(database):
    with pytest.raises(TypeError, match=f"database must be .*, got {re.escape(repr(database))}"):
        Sqlite(database)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": 7}, "columns must be a name or a list of names, got 7"),
        ({"columns": [7]}, "the name of a table or column must be a str, got 7"),
        ({"columns": "b", "row": 7}, "row must be a function, got 7"),
        ({"columns": "b", "blocking": False}, "blocking is a setting of the store"),
        ({"columns": "b", "nope": 1}, "unknown setting of a loader: nope"),
    ],
    ids=str,
)
def test_an_argument_of_row_by_of_another_type_is_refused(tmp_path, arguments, message):
    with pytest.raises(TypeError, match=message):
        Sqlite(tmp_path / "none.sqlite").row_by("t", "a", **arguments)
