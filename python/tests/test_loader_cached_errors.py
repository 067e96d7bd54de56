"""Cached errors of loaders: which are cached, and that they keep nothing of those who get them."""

import asyncio
import builtins
import functools
import gc
import sys
import weakref

import pytest

import asynq
from asynq.loaders import Loader


class Refused(Exception):
    """Its parameters differ from its `args`."""

    def __init__(self, user, *, reason):
        super().__init__(f"{user}: {reason}")
        self.user = user
        self.reason = reason


class Slotted(LookupError):
    __slots__ = ("detail",)


class Singleton(Exception):
    """It cannot be copied."""

    def __new__(cls, *, token):
        return super().__new__(cls)

    def __init__(self, *, token):
        super().__init__("one", "two")


class Reduced(Exception):
    """It says itself how it is copied."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def __reduce__(self):
        return Reduced, (self.code,)


class Request:
    """An object of one request, which a weak reference can watch."""


def failing(make, **settings):
    """Returns a loader whose function returns the error `make()` for each key."""
    return Loader(
        lambda keys: [make() for _ in keys], cache=True, **{"cache_errors": True, **settings}
    )


def error_of(load):
    try:
        load()
    except Exception as error:
        return error
    raise AssertionError("no error")


def slotted():
    error = Slotted("gone")
    error.detail = 7
    return error


def caused():
    try:
        raise KeyError("cause")
    except KeyError as cause:
        try:
            raise ValueError("effect") from cause
        except ValueError as error:
            return error


ERRORS = {
    "a builtin": (lambda: ValueError("x"), lambda error: error.args),
    "its own parameters": (lambda: Refused("ann", reason="no"), lambda error: error.reason),
    "an OSError": (lambda: OSError(2, "gone", "file"), lambda error: (str(error), error.filename)),
    "an UnicodeError": (lambda: UnicodeEncodeError("ascii", "ä", 0, 1, "x"), str),
    "an ImportError": (lambda: ImportError("x", name="y"), lambda error: error.name),
    "slots": (slotted, lambda error: error.detail),
    "its own reduction": (lambda: Reduced(3), lambda error: error.code),
    "a LoadError": (
        lambda: asynq.MissingKeyError("loader", 1, "why"),
        lambda error: (str(error), error.key),
    ),
    "no copy": (lambda: Singleton(token=1), lambda error: error.args),
}
if sys.version_info >= (3, 11):
    ERRORS["a group"] = (
        lambda: builtins.ExceptionGroup("two", [ValueError(1), KeyError(2)]),
        lambda error: (str(error), list(map(repr, error.exceptions))),
    )


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


@pytest.mark.parametrize("kind", ERRORS)
def test_a_cached_error_is_like_the_first_one(kind):
    make, attributes = ERRORS[kind]
    loader = failing(make)
    first, second, third = (error_of(lambda: loader(1)) for _ in range(3))
    assert type(first) is type(second) is type(third)
    assert attributes(first) == attributes(second) == attributes(third)
    assert loader.stats.batches == 1


@pytest.mark.parametrize("kind", ERRORS)
def test_a_cached_error_keeps_no_frames(kind):
    loader = failing(ERRORS[kind][0])
    alive = weakref.WeakSet()

    def view():
        request = Request()
        alive.add(request)
        try:
            loader(1)
        except Exception:
            return

    for _ in range(3):
        view()
    gc.collect()
    assert len(alive) <= (kind == "no copy")


def test_a_cached_error_keeps_no_frames_of_tasks_or_coroutines():
    loader = failing(lambda: ValueError("x"))
    alive = weakref.WeakSet()

    @asynq.asynq()
    def task():
        request = Request()
        alive.add(request)
        try:
            yield loader.asynq(1)
        except ValueError:
            return

    async def coroutine():
        request = Request()
        alive.add(request)
        try:
            await loader.asyncio(1)
        except ValueError:
            return

    for _ in range(3):
        task()
        asyncio.run(coroutine())
    gc.collect()
    assert not alive


def test_a_cached_error_has_no_context_of_another_request():
    loader = failing(lambda: ValueError("x"))
    error_of(lambda: loader(1))

    def in_handler():
        try:
            raise KeyError("of another request")
        except KeyError:
            loader(1)

    error_of(in_handler)
    assert error_of(lambda: loader(1)).__context__ is None


def test_a_cached_error_keeps_its_causes_without_their_frames():
    loader = failing(caused)
    error_of(lambda: loader(1))
    cause = error_of(lambda: loader(1)).__cause__
    assert repr(cause) == "KeyError('cause')"
    assert cause.__traceback__ is None


def test_each_load_gets_an_error_of_its_own():
    loader = failing(lambda: ValueError("x"))
    error_of(lambda: loader(1))
    first, second = loader.asynq(1), loader.asynq(1)
    assert repr(first.error()) == repr(second.error()) == "ValueError('x')"
    assert first.error() is not second.error()


def test_the_traceback_of_a_cached_error_does_not_grow():
    loader = failing(lambda: ValueError("x"))
    lengths = set()
    for _ in range(5):
        traceback, length = error_of(lambda: loader(1)).__traceback__, 0
        while traceback:
            traceback, length = traceback.tb_next, length + 1
        lengths.add(length)
    assert len(lengths) == 1


def test_a_primed_error_stays_as_it_was():
    loader = failing(None)
    primed = ValueError("x")
    loader.prime(1, primed)
    assert repr(error_of(lambda: loader(1))) == "ValueError('x')"
    assert primed.__traceback__ is None


def test_a_function_chooses_the_errors_that_are_cached():
    errors = {1: KeyError("gone"), 2: ValueError("for now")}
    loader = Loader(
        lambda keys: [errors[key] for key in keys],
        cache=True,
        cache_errors=lambda error: isinstance(error, LookupError),
    )
    for key in (1, 1, 2, 2):
        error_of(functools.partial(loader, key))
    assert loader.stats.keys == 3


def test_a_choice_that_fails_caches_nothing_and_fails_no_load(monkeypatch):
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda what: reported.append(what.exc_value))
    loader = failing(lambda: ValueError("x"), cache_errors=lambda error: 1 / 0)
    assert [repr(error_of(lambda: loader(1))) for _ in range(2)] == ["ValueError('x')"] * 2
    assert list(map(type, reported)) == [ZeroDivisionError] * 2


@pytest.mark.parametrize("value", [None, 1, "yes", ValueError, (ValueError,)])
def test_a_choice_must_be_a_bool_or_a_function(value):
    with pytest.raises(TypeError, match="cache_errors must be True, False or a function"):
        Loader(list, cache_errors=value)
