import pickle
import sys

import pytest

from asynq import (
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    FutureIsAlreadyComputed,
    asynq,
    none_future,
)


def depth(error):
    """Returns the number of entries in the traceback of an exception."""
    traceback, entries = error.__traceback__, 0
    while traceback is not None:
        traceback, entries = traceback.tb_next, entries + 1
    return entries


class Noisy(FutureBase):
    """A future that computes itself, and counts the computations."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def _compute(self):
        self.calls += 1
        self.set_value(f"computed {self.calls}x")


# A value, or an error.


def test_a_future_gives_the_value_that_it_was_given():
    future = FutureBase()
    future.set_value([1])
    assert future.value() == [1]


def test_a_future_gives_the_very_object_that_it_was_given():
    future, value = FutureBase(), object()
    future.set_value(value)
    assert future.value() is value


def test_none_is_a_value_like_any_other():
    future = FutureBase()
    future.set_value(None)
    assert future.is_computed()
    assert future.value() is None


def test_calling_a_future_gives_its_value():
    assert ConstFuture(42)() == 42


def test_a_future_raises_the_error_that_it_was_given():
    future, error = FutureBase(), KeyError("x")
    future.set_error(error)
    with pytest.raises(KeyError) as caught:
        future.value()
    assert caught.value is error


def test_error_gives_the_error_without_raising_it():
    error = KeyError("x")
    assert ErrorFuture(error).error() is error


def test_a_future_with_a_value_has_no_error():
    assert ConstFuture(42).error() is None


def test_raise_if_error_does_nothing_for_a_value():
    future = FutureBase()
    future.set_value(42)
    assert future.raise_if_error() is None


def test_raise_if_error_raises_the_error():
    with pytest.raises(KeyError):
        ErrorFuture(KeyError("x")).raise_if_error()


def test_a_future_with_an_error_is_computed():
    assert ErrorFuture(KeyError("x")).is_computed()


def test_a_new_future_is_not_computed():
    assert not FutureBase().is_computed()


def test_an_error_raised_twice_does_not_grow_its_traceback():
    future = ErrorFuture(KeyError("x"))
    depths = set()
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            future.value()
        depths.add(depth(caught.value))
    assert len(depths) == 1


def test_an_exception_class_is_made_an_exception():
    with pytest.raises(KeyError):
        ErrorFuture(KeyError).value()


def test_what_is_not_an_exception_cannot_be_an_error():
    with pytest.raises(TypeError, match=r"has to be an exception, not str"):
        FutureBase().set_error("it broke")


def test_a_base_exception_can_be_an_error():
    with pytest.raises(SystemExit):
        ErrorFuture(SystemExit(3)).value()


# Set once.


@pytest.mark.parametrize("first", ["value", "error"])
@pytest.mark.parametrize("second", ["value", "error"])
def test_a_future_cannot_be_set_twice(first, second):
    future = FutureBase()
    settings = {"value": lambda: future.set_value(1), "error": lambda: future.set_error(KeyError())}
    settings[first]()
    with pytest.raises(FutureIsAlreadyComputed):
        settings[second]()


def test_the_error_of_setting_twice_names_the_future():
    future = ConstFuture(42)
    with pytest.raises(FutureIsAlreadyComputed) as caught:
        future.set_value(43)
    assert caught.value.args == (future,)


def test_setting_twice_leaves_the_first_value():
    future = ConstFuture(42)
    with pytest.raises(FutureIsAlreadyComputed):
        future.set_error(KeyError())
    assert future.value() == 42


def test_a_reset_future_can_be_set_again():
    future = ConstFuture(1)
    future.reset_unsafe()
    future.set_value(2)
    assert future.value() == 2


def test_a_reset_future_is_not_computed():
    future = ErrorFuture(KeyError())
    future.reset_unsafe()
    assert not future.is_computed()


def test_a_reset_future_is_computed_once_more():
    future = Noisy()
    future.value()
    future.reset_unsafe()
    assert future.value() == "computed 2x"


# Computation.


def test_a_future_computes_itself_when_its_value_is_wanted():
    future = Noisy()
    assert (future.calls, future.value(), future.calls) == (0, "computed 1x", 1)


def test_a_future_computes_itself_when_its_error_is_wanted():
    future = Noisy()
    assert future.error() is None
    assert future.calls == 1


def test_a_future_computes_itself_once():
    future = Noisy()
    future.value()
    future.value()
    assert future.calls == 1


def test_asking_whether_it_is_computed_does_not_compute_a_future():
    future = Noisy()
    assert not future.is_computed()
    assert future.calls == 0


def test_a_set_future_is_not_computed_again():
    future = Noisy()
    future.set_value("set")
    assert future.value() == "set"
    assert future.calls == 0


def test_the_base_class_does_not_know_how_to_compute_a_value():
    with pytest.raises(NotImplementedError):
        FutureBase().value()


def test_the_error_of_computing_is_raised():
    class Failing(FutureBase):
        def _compute(self):
            raise KeyError("x")

    with pytest.raises(KeyError):
        Failing().value()


def test_an_error_set_while_computing_is_raised():
    class Failing(FutureBase):
        def _compute(self):
            self.set_error(KeyError("x"))

    with pytest.raises(KeyError):
        Failing().value()


def test_a_future_calls_its_function_when_its_value_is_wanted():
    calls = []
    future = Future(lambda: calls.append("called") or 42)
    assert calls == []
    assert future.value() == 42
    assert calls == ["called"]


def test_a_future_calls_its_function_once():
    calls = []
    future = Future(lambda: calls.append("called"))
    future.value()
    future.value()
    assert calls == ["called"]


def test_a_future_remembers_the_error_of_its_function():
    calls = []

    def fail():
        calls.append("called")
        raise KeyError("x")

    future = Future(fail)
    for _ in range(2):
        with pytest.raises(KeyError):
            future.value()
    assert calls == ["called"]


def test_a_future_interrupted_while_it_computes_can_be_asked_again():
    answers = iter([KeyboardInterrupt(), 42])

    def answer():
        value = next(answers)
        if isinstance(value, BaseException):
            raise value
        return value

    future = Future(answer)
    with pytest.raises(KeyboardInterrupt):
        future.value()
    assert future.value() == 42


def test_the_function_of_a_future_can_be_an_async_call():
    @asynq()
    def double(x):
        return 2 * x

    assert Future(lambda: double(21)).value() == 42


# The constants.


def test_none_future_is_computed_and_its_value_is_none():
    assert none_future.is_computed()
    assert none_future.value() is None


def test_const_future_is_computed():
    assert ConstFuture(42).is_computed()


def test_const_future_can_be_pickled():
    copy = pickle.loads(pickle.dumps(ConstFuture([1, 2])))
    assert type(copy) is ConstFuture
    assert copy.value() == [1, 2]


def test_a_constant_may_be_a_future():
    inner = ConstFuture(42)
    assert ConstFuture(inner).value() is inner


@pytest.mark.parametrize("value", ["x", 1.5, None, (1, 2), KeyError("not raised")])
def test_const_future_holds_any_value(value):
    assert ConstFuture(value).value() is value


# The attributes behind.


def test_the_value_is_an_attribute():
    assert ConstFuture(42)._value == 42


def test_the_error_is_an_attribute():
    error = KeyError("x")
    assert ErrorFuture(error)._error is error


def test_a_future_without_error_has_none_there():
    assert FutureBase()._error is None


def test_the_value_of_a_failed_future_is_none():
    assert ErrorFuture(KeyError())._value is None


def test_a_future_without_value_shows_a_marker_there():
    assert repr(FutureBase()._value) == "none (futures)"


def test_all_futures_show_the_same_marker():
    assert FutureBase()._value is Noisy()._value


# Text output.


def test_a_future_without_value_says_so():
    assert repr(FutureBase()) == "<class 'asynq.futures.FutureBase'> (isn't computed)"


def test_a_future_shows_its_value():
    assert repr(ConstFuture("a")) == "<class 'asynq.futures.ConstFuture'> (computed, = 'a')"


def test_a_future_shows_its_error():
    assert repr(ErrorFuture(KeyError("x"))) == (
        "<class 'asynq.futures.ErrorFuture'> (computed, error = KeyError('x'))"
    )


def test_a_future_that_is_its_own_value_is_shown():
    future = FutureBase()
    future.set_value(future)
    assert repr(future) == "<class 'asynq.futures.FutureBase'> (computed, = self)"


def test_a_future_inside_its_own_value_is_shown():
    future = FutureBase()
    future.set_value([future])
    assert repr(future) == "<class 'asynq.futures.FutureBase'> (computed, = [<recursion>])"


def test_showing_a_future_does_not_compute_it():
    future = Noisy()
    assert "isn't computed" in repr(future)
    assert future.calls == 0


def test_dump_writes_the_future_indented(capsys):
    ConstFuture(42).dump(1)
    assert capsys.readouterr().out == "  <class 'asynq.futures.ConstFuture'> (computed, = 42)\n"


# Unsupported operations.


@pytest.mark.parametrize("future", [FutureBase(), ConstFuture(True), ErrorFuture(KeyError())])
def test_a_future_is_neither_true_nor_false(future):
    with pytest.raises(TypeError, match="Cannot convert FutureBase object to bool"):
        bool(future)


def test_futures_of_equal_values_are_not_equal():
    assert ConstFuture(1) != ConstFuture(1)


def test_a_future_can_be_in_a_set():
    future = ConstFuture([])
    assert future in {future}


def test_a_dropped_future_lets_go_of_its_value():
    value = object()
    before = sys.getrefcount(value)
    future = ConstFuture(value)
    assert sys.getrefcount(value) > before
    del future
    assert sys.getrefcount(value) == before
