"""`asynq.mock`: patching asynchronous functions."""

import asyncio
import importlib
import sys
import unittest.mock

import pytest

import asynq as asynq_package
from asynq import AsyncTask, async_call, asynq, mock, mock_

HERE = sys.modules[__name__]


@asynq()
def fetch(key="default"):
    return "real", key


@asynq(pure=True)
def pure_fetch(key="default"):
    return "real", key


def plain_fetch(key="default"):
    return "real", key


NUMBER = 1
SETTINGS = {"a": 1, "b": 2}


@asynq()
def call_both_ways(key="default"):
    return (yield fetch.asynq(key)), fetch(key)


class Store:
    @asynq()
    def method(self, key="default"):
        return "real", key

    @asynq()
    @classmethod
    def classmethod_(cls, key="default"):
        return "real", key

    @asynq()
    @staticmethod
    def staticmethod_(key="default"):
        return "real", key


@asynq()
def call_method_both_ways(name):
    method = getattr(Store(), name)
    return (yield method.asynq("k")), method("k")


METHODS = ["method", "classmethod_", "staticmethod_"]


# Targets


def test_the_module_has_two_names():
    assert asynq_package.mock is mock is mock_


def test_both_names_can_be_imported():
    for name in ("asynq.mock", "asynq.mock_"):
        assert importlib.import_module(name) is mock_
        assert sys.modules[name] is mock_


# Mocks


def test_a_mock_answers_both_call_forms():
    with mock.patch(f"{__name__}.fetch") as mock_fetch:
        mock_fetch.return_value = 42
        assert call_both_ways() == (42, 42)
    assert call_both_ways("k") == (("real", "k"), ("real", "k"))


def test_a_mock_counts_both_call_forms():
    with mock.patch(f"{__name__}.fetch") as mock_fetch:
        call_both_ways("k")
    assert mock_fetch.call_args_list == [unittest.mock.call("k")] * 2


def test_a_side_effect_answers_both_call_forms():
    with mock.patch(f"{__name__}.fetch", side_effect=str.upper):
        assert call_both_ways("k") == ("K", "K")


def test_a_side_effect_may_be_an_error():
    with mock.patch(f"{__name__}.fetch", side_effect=KeyError), pytest.raises(KeyError):
        call_both_ways()


@pytest.mark.parametrize("name", METHODS)
def test_a_mock_replaces_a_method(name):
    with mock.patch.object(Store, name) as mock_method:
        mock_method.return_value = 42
        assert call_method_both_ways(name) == (42, 42)
    assert call_method_both_ways(name) == (("real", "k"), ("real", "k"))


@pytest.mark.parametrize("name", METHODS)
def test_a_mock_replaces_a_method_given_by_its_dotted_name(name):
    with mock.patch(f"{__name__}.Store.{name}", return_value=42) as mock_method:
        assert call_method_both_ways(name) == (42, 42)
    assert mock_method.call_args == unittest.mock.call("k")


def test_a_mock_can_be_configured_by_keywords():
    with mock.patch(f"{__name__}.fetch", return_value=42, colour="red") as mock_fetch:
        assert (fetch(), mock_fetch.colour) == (42, "red")


@pytest.mark.parametrize("keywords", [{"autospec": True}, {"spec": True}, {"spec_set": True}])
def test_a_mock_with_a_spec_answers_both_call_forms(keywords):
    with mock.patch(f"{__name__}.fetch", **keywords) as mock_fetch:
        mock_fetch.return_value = 42
        assert call_both_ways() == (42, 42)


def test_new_callable_makes_the_replacement():
    class Answer:
        def __call__(self, key):
            return "answer", key

    with mock.patch(f"{__name__}.fetch", new_callable=Answer) as replacement:
        assert type(replacement) is Answer
        assert call_both_ways("k") == (("answer", "k"), ("answer", "k"))


def test_the_attribute_named_async_of_a_mock_is_asynq():
    with mock.patch(f"{__name__}.fetch", return_value=42):
        assert getattr(fetch, "async")().value() == 42


def test_async_call_calls_a_mock():
    @asynq()
    def caller():
        return (yield async_call.asynq(fetch, "k"))

    with mock.patch(f"{__name__}.fetch", return_value=42):
        assert caller() == 42
        assert asyncio.run(caller.asyncio()) == 42


def test_a_mock_answers_in_asyncio_mode():
    @asynq()
    def caller():
        return (yield fetch.asynq("k"))

    with mock.patch(f"{__name__}.fetch", return_value=42):
        assert asyncio.run(caller.asyncio()) == 42


@pytest.mark.parametrize("name", ["fetch", "pure_fetch", "plain_fetch"])
def test_a_mock_answers_from_asyncio(name):
    with mock.patch(f"{__name__}.{name}") as replacement:
        replacement.return_value = 42
        replaced = getattr(HERE, name)
        assert asyncio.iscoroutinefunction(replaced.asyncio)
        assert asyncio.run(replaced.asyncio("k")) == 42
        replacement.assert_called_once_with("k")


def test_an_error_is_raised_from_asyncio():
    with mock.patch(f"{__name__}.fetch", side_effect=KeyError("k")), pytest.raises(KeyError):
        asyncio.run(fetch.asyncio())


@pytest.mark.parametrize("form", ["asynq", "asyncio"])
def test_a_function_answers_in_asyncio_mode(form):
    @asynq()
    def caller():
        return (yield getattr(fetch, form)("k"))

    with mock.patch(f"{__name__}.fetch", lambda key: ("new", key)):
        assert asyncio.run(caller.asyncio()) == ("new", "k")


@pytest.mark.parametrize("name", METHODS)
def test_a_mock_of_a_method_answers_from_asyncio(name):
    with mock.patch.object(Store, name, return_value=42):
        assert asyncio.run(getattr(Store(), name).asyncio("k")) == 42


def test_a_function_replaces_a_method_from_asyncio():
    with mock.patch.object(Store, "method", lambda self, key: (type(self), key)):
        assert asyncio.run(Store().method.asyncio("k")) == (Store, "k")


def test_an_object_whose_spec_has_asynq_alone_can_be_replaced():
    class HasAsynq:
        asynq = None

        def __call__(self):
            raise NotImplementedError

    with mock.patch.dict(HERE.__dict__, {"fetch": HasAsynq()}):
        patcher = mock.patch(f"{__name__}.fetch", spec=HasAsynq(), return_value=42)
        with patcher:
            assert fetch.asynq().value() == 42


@pytest.mark.parametrize("name", ["fetch", "plain_fetch"])
def test_nothing_can_be_set_or_read_on_the_attribute_asynq(name):
    with mock.patch(f"{__name__}.{name}"):
        replaced = getattr(HERE, name)
        with pytest.raises(TypeError, match="Set them on the function itself"):
            replaced.asynq.return_value = 1
        with pytest.raises(TypeError, match="Read them on the function itself"):
            _ = replaced.asynq.call_count


# Replacements


def test_a_function_replaces_both_call_forms():
    with mock.patch(f"{__name__}.fetch", lambda key: ("new", key)):
        assert call_both_ways("k") == (("new", "k"), ("new", "k"))


def test_a_function_replaces_a_method():
    with mock.patch.object(Store, "method", lambda self, key: (type(self), key)):
        assert call_method_both_ways("method") == ((Store, "k"), (Store, "k"))


def test_a_class_method_replaces_a_class_method():
    with mock.patch.object(Store, "classmethod_", classmethod(lambda cls, key: (cls, key))):
        assert call_method_both_ways("classmethod_") == ((Store, "k"), (Store, "k"))


def test_a_static_method_replaces_a_static_method():
    with mock.patch.object(Store, "staticmethod_", staticmethod(lambda key: ("new", key))):
        assert call_method_both_ways("staticmethod_") == (("new", "k"), ("new", "k"))


def test_a_generator_function_replaces_a_function_that_returns_an_iterable():
    def new(key):
        yield key

    with mock.patch(f"{__name__}.fetch", new):
        assert [list(values) for values in call_both_ways("k")] == [["k"], ["k"]]


def test_a_bound_method_replaces_both_call_forms():
    calls = []
    with mock.patch(f"{__name__}.fetch", calls.append):
        assert call_both_ways("k") == (None, None)
    assert calls == ["k", "k"]


def test_a_bound_method_replaces_a_method_without_becoming_one():
    calls = []
    store = Store()
    with mock.patch.object(store, "method", calls.append):
        store.method("k")
        store.method.asynq("l").value()
    assert calls == ["k", "l"]


@pytest.mark.parametrize("new", [int, len, "text".join])
def test_a_builtin_replaces_both_call_forms(new):
    with mock.patch(f"{__name__}.fetch", new):
        assert call_both_ways("12") == (new("12"), new("12"))


def test_an_asynchronous_function_is_used_as_it_is():
    @asynq()
    def new(key):
        return "new", key

    with mock.patch(f"{__name__}.fetch", new) as replacement:
        assert replacement is fetch is new
        assert call_both_ways("k") == (("new", "k"), ("new", "k"))
    assert "asynq" not in vars(new)


def test_a_pure_function_replaces_a_pure_function():
    @asynq(pure=True)
    def new(key):
        return "new", key

    @asynq()
    def caller():
        return (yield pure_fetch("k")), (yield async_call.asynq(pure_fetch, "k"))

    with mock.patch(f"{__name__}.pure_fetch", new):
        assert caller() == (("new", "k"), ("new", "k"))


def test_a_mock_of_a_pure_function_is_pure():
    @asynq()
    def caller():
        return (yield async_call.asynq(pure_fetch, "k"))

    future = fetch.asynq("future")
    with mock.patch(f"{__name__}.pure_fetch", return_value=future):
        assert caller() == ("real", "future")


@pytest.mark.parametrize("new", [2, None, "text"])
def test_what_cannot_be_called_is_put_in_place_as_it_is(new):
    with mock.patch(f"{__name__}.NUMBER", new) as replacement:
        assert NUMBER is replacement is new
    assert NUMBER == 1


def test_a_class_replaces_a_class():
    class Other:
        pass

    with mock.patch.object(HERE, "Store", Other):
        assert Store is Other


# Ways to patch


@mock.patch(f"{__name__}.fetch", return_value=1)
@mock.patch.object(Store, "method", return_value=2)
def test_a_function_can_be_decorated(mock_method, mock_fetch):
    assert call_both_ways() == (1, 1)
    assert call_method_both_ways("method") == (2, 2)
    assert mock_fetch.call_count == mock_method.call_count == 2


@mock.patch(f"{__name__}.fetch", lambda key: 1)  # noqa: PT008
def test_a_function_decorated_with_a_replacement_is_passed_nothing():
    assert call_both_ways() == (1, 1)


@mock.patch(f"{__name__}.fetch", return_value=1)
class TestDecoratedClass:
    def test_all_of_its_tests_are_patched(self, mock_fetch):
        assert call_both_ways() == (1, 1)
        assert mock_fetch.call_count == 2

    def test_each_gets_a_mock_of_its_own(self, mock_fetch):
        assert mock_fetch.call_count == 0

    def helper(self):
        return fetch

    def test_only_methods_with_the_prefix_are_patched(self, mock_fetch):
        assert self.helper() is mock_fetch
        assert type(self).helper.__name__ == "helper"


@asynq()
def other_fetch(key="default"):
    return "other", key


@mock.patch(f"{__name__}.fetch", other_fetch)
class TestClassDecoratedWithAnAsynchronousFunction:
    @pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
    def test_the_function_is_used_as_it_is(self):
        assert fetch is other_fetch
        assert isinstance(fetch.asynq(), AsyncTask)


def test_a_patch_can_be_started_and_stopped():
    patcher = mock.patch(f"{__name__}.fetch", return_value=1)
    original = fetch
    mock_fetch = patcher.start()
    assert fetch is mock_fetch
    patcher.stop()
    assert fetch is original


def test_all_started_patches_can_be_stopped():
    original = fetch
    mock.patch(f"{__name__}.fetch").start()
    mock.patch.stopall()
    assert fetch is original


def test_a_dictionary_can_be_patched():
    with mock.patch.dict(SETTINGS, {"a": 10}):
        assert SETTINGS == {"a": 10, "b": 2}
    assert SETTINGS == {"a": 1, "b": 2}


def test_the_prefix_of_test_methods_is_that_of_the_standard_library():
    assert mock.patch.TEST_PREFIX == unittest.mock.patch.TEST_PREFIX


def test_a_target_without_a_dot_is_a_type_error():
    with pytest.raises(TypeError, match="valid target"):
        mock.patch("nodot")


def test_a_target_that_does_not_exist_is_an_attribute_error():
    patcher = mock.patch(f"{__name__}.missing")
    with pytest.raises(AttributeError, match="missing"):
        patcher.start()


def test_a_target_that_does_not_exist_can_be_created():
    with mock.patch(f"{__name__}.missing", create=True, return_value=1):
        assert HERE.missing.asynq().value() == 1
    assert not hasattr(HERE, "missing")
