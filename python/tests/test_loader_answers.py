"""Loaders: the delivery of answers, of whatever kind."""

from __future__ import annotations

from collections import UserDict, deque

import pytest
from negating import each, recording

import asynq
from asynq import LoadError, MissingKeyError
from asynq.loaders import Loader


@pytest.mark.parametrize(
    "answer",
    [
        lambda keys: {key: -key for key in keys},
        lambda keys: UserDict({key: -key for key in keys}),
        lambda keys: [-key for key in keys],
        lambda keys: tuple(-key for key in keys),
        lambda keys: deque(-key for key in keys),
        lambda keys: {99: "a stranger", **{key: -key for key in keys}},
    ],
    ids=["dict", "mapping", "list", "tuple", "sequence", "with a stranger's key"],
)
def test_an_answer_is_a_mapping_or_a_sequence(answer):
    loader, _ = recording(answer)
    assert each(loader, [1, 2]) == [-1, -2]


@pytest.mark.parametrize(
    "answer",
    [None, 7, "ab", b"ab", iter([1, 2]), {1, 2}],
    ids=["None", "int", "str", "bytes", "iterator", "set"],
)
def test_anything_else_is_no_answer(answer):
    loader, _ = recording(lambda keys: answer, name="user")
    with pytest.raises(
        LoadError, match=r"loader user, key 1: TypeError: .* has to return a mapping"
    ):
        each(loader, [1, 2])


@pytest.mark.parametrize("answer", [[], [1], [1, 2, 3]])
def test_a_sequence_of_a_wrong_length_says_so(answer):
    loader, _ = recording(lambda keys: answer, name="user")
    with pytest.raises(LoadError, match=f"returned {len(answer)} values for 2 keys") as raised:
        each(loader, [1, 2])
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_key_without_a_value_is_missing():
    loader, _ = recording(lambda keys: {}, name="user")
    with pytest.raises(MissingKeyError) as raised:
        loader(7)
    assert str(raised.value) == "loader user, key 7: the batch function returned no value for it"
    assert (raised.value.loader, raised.value.key) == ("user", 7)
    assert isinstance(raised.value, KeyError)


def test_a_value_under_a_key_of_another_type_is_pointed_out():
    loader, _ = recording(lambda keys: {"7": "seven"}, name="user")
    with pytest.raises(MissingKeyError, match="for '7' of type str, but the key has type int"):
        loader(7)


def test_many_missing_keys_are_pointed_out_in_one_pass():
    passes = []

    class Rows(UserDict):
        def __iter__(self):
            passes.append(None)
            return super().__iter__()

    loader, _ = recording(lambda keys: Rows({1: "a", 2: "b"}))
    loads = [loader.asynq(key) for key in ["1", "2"]]
    assert [str(load.error()).rpartition("; ")[2] for load in loads] == [
        "it returned a value for 1 of type int, but the key has type str",
        "it returned a value for 2 of type int, but the key has type str",
    ]
    assert len(passes) == 1


class Mute:
    """A key whose repr fails."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def test_a_key_that_cannot_be_shown_is_missing_like_others():
    loader, _ = recording(lambda keys: {1: 1})
    good, bad = loader.asynq(1), loader.asynq(Mute())
    assert good.value() == 1
    assert "key a Mute without a text: the batch function returned no value" in str(bad.error())


def test_a_default_takes_the_place_of_what_is_missing():
    loader, _ = recording(lambda keys: {1: "one"}, default=None)
    assert each(loader, [1, 2]) == ["one", None]


def test_a_default_factory_makes_each_default():
    loader, _ = recording(lambda keys: {}, default_factory=list)
    first, second = each(loader, [1, 2])
    assert first == second == []
    assert first is not second


def test_an_exception_as_a_value_is_the_error_of_its_key():
    loader, _ = recording(lambda keys: {1: LookupError("gone"), 2: "two"})

    @asynq.asynq()
    def caught(key):
        try:
            return (yield loader.asynq(key))
        except LookupError as error:
            return str(error)

    @asynq.asynq()
    def both():
        return (yield caught.asynq(1), caught.asynq(2))

    assert both() == ("gone", "two")


def test_an_exception_in_the_function_is_that_of_each_key():
    loader, _ = recording(lambda keys: 1 / 0, name="user")
    loads = [loader.asynq(1), loader.asynq(2)]
    errors = [load.error() for load in loads]
    assert [str(error) for error in errors] == [
        "loader user, key 1: ZeroDivisionError: division by zero",
        "loader user, key 2: ZeroDivisionError: division by zero",
    ]
    assert errors[0].__cause__ is errors[1].__cause__


@pytest.mark.parametrize("settings", [{}, {"blocking": True}], ids=str)
def test_an_error_that_cannot_be_shown_is_an_error_like_others(settings):
    class MuteError(Exception):
        __str__ = Mute.__str__

    def function(keys):
        raise MuteError

    loader = Loader(function, **settings)
    for _ in range(2):
        with pytest.raises(LoadError, match="MuteError without a text"):
            loader(1)


@pytest.mark.parametrize("kind", ["plain", "blocking", "async function"])
def test_an_interrupt_while_values_are_delivered_leaves_no_key_behind(kind):
    class Answer(UserDict):
        interrupted = False

        def __getitem__(self, key):
            if not self.interrupted:
                Answer.interrupted = True
                raise KeyboardInterrupt
            return super().__getitem__(key)

    def function(keys):
        return Answer({key: -key for key in keys})

    is_ours = kind == "async function"
    loader = Loader(asynq.asynq()(function) if is_ours else function, blocking=kind == "blocking")
    load = loader.asynq(1)
    with pytest.raises(KeyboardInterrupt):
        load.value()
    if kind == "blocking":
        # The answer is delivered again, since the interrupt may be that of a signal.
        assert load.value() == -1
    else:
        with pytest.raises(KeyboardInterrupt):
            load.value()
    assert loader(1) == -1


def test_an_answer_that_raises_interrupts_each_time_is_delivered_twice_only():
    class Answer(UserDict):
        def __getitem__(self, key):
            raise KeyboardInterrupt

    loader = Loader(lambda keys: Answer({key: key for key in keys}), blocking=True)
    other = Loader(list, blocking=True)
    load = loader.asynq(1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            load.value()
    assert other(1) == 1


def test_a_part_that_fails_keeps_no_other_from_going_out():
    loader, _ = recording(lambda keys: [100 // key for key in keys], max_batch_size=1)
    loads = [loader.asynq(key) for key in (1, 0, 2)]
    assert [load.error() is None for load in loads] == [True, False, True]


def test_an_interrupt_in_the_function_ends_the_call_and_no_more():
    def function(keys):
        if keys == [1]:
            raise KeyboardInterrupt
        return keys

    loader = Loader(function)
    with pytest.raises(KeyboardInterrupt):
        each(loader, [1])
    assert each(loader, [2]) == [2]


def test_a_failing_async_function_fails_each_key():
    @asynq.loader(name="user")
    @asynq.asynq()
    def user(keys):
        yield None
        raise ValueError("no store")

    with pytest.raises(LoadError, match="loader user, key 7: ValueError: no store"):
        user(7)


def test_a_key_that_cannot_be_hashed_is_refused_where_it_is_asked_for():
    loader, batches = recording()
    with pytest.raises(TypeError, match="unhashable"):
        loader.asynq([])
    assert loader(1) == -1
    assert batches == [[1]]


def test_a_key_whose_comparison_fails_is_refused_where_it_is_asked_for():
    class Odd:
        def __hash__(self):
            return hash(1)

        def __eq__(self, other):
            raise RuntimeError("not comparable")

    loader, _ = recording()
    first = loader.asynq(1)
    with pytest.raises(RuntimeError, match="not comparable"):
        loader.asynq(Odd())
    assert first.value() == -1
