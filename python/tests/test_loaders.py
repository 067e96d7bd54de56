"""Loaders: the keys of their batches, and the delivery of answers."""

from __future__ import annotations

from collections import UserDict, deque
from types import MappingProxyType

import pytest

import asynq
from asynq import BatchBase, BatchItemBase, ConstFuture, LoadError, MissingKeyError
from asynq.loaders import Loader, Stats


def recording(answer=None, **settings):
    """Returns a loader that answers `-key` by default, and the list of its batches."""
    batches = []

    def negated(keys):
        batches.append(list(keys))
        return {key: -key for key in keys} if answer is None else answer(keys)

    return Loader(negated, **settings), batches


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


# The keys of a batch


def test_keys_of_one_round_are_one_batch_in_the_order_first_asked_for():
    loader, batches = recording()
    assert each(loader, [3, 1, 2]) == [-3, -1, -2]
    assert batches == [[3, 1, 2]]


def test_equal_keys_are_asked_for_once():
    loader, batches = recording()
    assert each(loader, [1, 2, 1, 1]) == [-1, -2, -1, -1]
    assert batches == [[1, 2]]


def test_equal_keys_get_one_future():
    loader, _ = recording()
    assert loader.asynq(1) is loader.asynq(1)


def test_a_value_is_not_kept_for_the_next_round():
    loader, batches = recording()
    assert [loader(1), loader(1)] == [-1, -1]
    assert batches == [[1], [1]]


def test_tasks_of_uneven_depth_share_a_batch():
    loader, batches = recording()

    @asynq.asynq()
    def after(rounds, key):
        for _ in range(rounds):
            yield ConstFuture(None)
        return (yield loader.asynq(key))

    @asynq.asynq()
    def all_of_them():
        return (yield [after.asynq(rounds, rounds) for rounds in range(10)])

    all_of_them()
    assert batches == [list(range(10))]


def test_a_batch_has_no_more_keys_than_allowed():
    loader, batches = recording(max_batch_size=2)
    assert each(loader, range(5)) == [0, -1, -2, -3, -4]
    assert batches == [[0, 1], [2, 3], [4]]


def test_the_batch_of_higher_priority_goes_first():
    batches = []
    low = Loader(lambda keys: batches.append("low") or keys)
    high = Loader(lambda keys: batches.append("high") or keys, priority=1)

    @asynq.asynq()
    def both():
        return (yield low.asynq(1), high.asynq(2))

    assert both() == (1, 2)
    assert batches == ["high", "low"]


def test_loaders_and_batches_by_hand_take_part_in_the_same_rounds():
    log = []
    loader = Loader(lambda keys: log.append("loader") or keys)

    class Batch(BatchBase):
        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            log.append("batch")
            for item in self.items:
                item.set_value("item")

    @asynq.asynq()
    def both():
        return (yield loader.asynq(1), BatchItemBase(Batch()))

    assert both() == (1, "item")
    assert log == ["loader", "batch"]


def test_a_load_can_be_computed_without_a_task():
    loader, batches = recording()
    first, second = loader.asynq(1), loader.asynq(2)
    assert first.value() == -1
    assert second.is_computed()
    assert batches == [[1, 2]]


def test_a_loader_of_an_async_function_joins_later_rounds():
    log = []
    inner = Loader(lambda keys: log.append(list(keys)) or [key * 10 for key in keys])

    @asynq.loader
    @asynq.asynq()
    def outer(keys):
        log.append(("outer", list(keys)))
        return (yield [inner.asynq(key) for key in keys])

    @asynq.asynq()
    def both():
        return (yield outer.asynq(1), inner.asynq(2), outer.asynq(3))

    assert both() == (10, 20, 30)
    assert log == [("outer", [1, 3]), [2, 1, 3]]


def test_a_loader_of_a_proxy_is_one_of_an_async_function():
    inner, batches = recording()

    @asynq.loader
    @asynq.async_proxy()
    def outer(keys):
        return inner.load_many.asynq(keys)

    assert outer(7) == -7
    assert batches == [[7]]


def test_load_many_gives_the_values_in_the_order_of_the_keys():
    loader, batches = recording()
    assert loader.load_many(iter([2, 1, 2])) == [-2, -1, -2]
    assert batches == [[2, 1]]


def test_a_loader_is_an_async_function_to_the_tools():
    loader, batches = recording()
    assert asynq.is_async_fn(loader)
    assert not asynq.is_pure_async_fn(loader)
    assert asynq.tools.amap(loader, [1, 2]) == [-1, -2]
    assert asynq.async_call(loader, 3) == -3
    assert batches == [[1, 2], [3]]


def test_each_instance_has_a_loader_of_its_own():
    class Store:
        def __init__(self, name):
            self.name = name

        @asynq.loader
        def row(self, keys):
            """The row of a key."""
            return {key: (self.name, key) for key in keys}

    a, b = Store("a"), Store("b")
    assert (a.row(1), b.row(1)) == (("a", 1), ("b", 1))
    assert a.row is a.row
    assert a.row is not b.row
    assert Store.row.__doc__ == "The row of a key."


def test_a_method_that_is_an_async_function_can_be_a_loader():
    class Store:
        factor = 2

        @asynq.loader
        @asynq.asynq()
        def product(self, keys):
            yield None
            return [self.factor * key for key in keys]

    assert Store().product(4) == 8


def test_a_loader_needs_instances_that_can_keep_it():
    class Store:
        __slots__ = ()

        @asynq.loader
        def row(self, keys):
            return keys

    with pytest.raises(TypeError, match="needs a __dict__ in its instance, which Store"):
        Store().row  # noqa: B018


def test_the_loader_of_an_instance_is_of_the_same_class():
    class Named(Loader):
        def title(self, key):
            return f"{self.name} {key}"

    class Tenant:
        user = Named(lambda self, ids: ids, name="user")

    assert Tenant().user.title(1) == "user 1"


def test_instances_do_not_share_a_cache():
    class Tenant:
        @asynq.loader(cache={})
        def user(self, ids):
            return ids

    with pytest.raises(TypeError, match="use cache=True"):
        Tenant().user(1)


def test_a_load_inside_a_flush_joins_the_next_batch():
    batches = []

    def function(keys):
        batches.append(list(keys))
        if keys == [1]:
            return {1: loader(2)}
        return {key: -key for key in keys}

    loader = Loader(function)
    assert loader(1) == -2
    assert batches == [[1], [2]]


def test_a_flush_that_waits_for_its_own_key_is_a_deadlock():
    loader = Loader(lambda keys: [loader(key) for key in keys], name="circle")
    with pytest.raises(LoadError, match="circle, key 1"):
        loader(1)
    assert recording()[0](2) == -2


# Answers


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


@pytest.mark.parametrize("answer", [None, 7, "ab", b"ab", iter([1, 2]), {1, 2}], ids=repr)
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


# Hooks and statistics


def test_hooks_are_called_around_each_batch():
    log = []
    loader, _ = recording(
        lambda keys: log.append("flush") or keys,
        max_batch_size=2,
        before_flush=lambda keys: log.append(("before", list(keys))),
        after_flush=lambda flushed: log.append(("after", flushed.keys, flushed.error)),
    )
    each(loader, [1, 2, 3])
    assert log == [
        ("before", [1, 2]),
        "flush",
        ("after", [1, 2], None),
        ("before", [3]),
        "flush",
        ("after", [3], None),
    ]


def test_an_after_flush_is_told_why_a_batch_failed():
    errors = []
    loader, _ = recording(lambda keys: 1 / 0, after_flush=lambda done: errors.append(done.error))
    with pytest.raises(LoadError):
        loader(1)
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_a_before_flush_that_fails_fails_the_batch():
    def before(keys):
        raise ValueError("not now")

    loader, batches = recording(before_flush=before)
    with pytest.raises(LoadError, match="not now"):
        loader(1)
    assert batches == []


def test_an_after_flush_that_fails_is_logged(caplog):
    loader, _ = recording(after_flush=lambda done: 1 / 0, name="user")
    assert loader(1) == -1
    assert "after_flush of the loader user has failed" in caplog.text


def test_statistics_count_batches_keys_and_hits():
    loader, _ = recording(max_batch_size=2)
    each(loader, [1, 2, 3, 1])
    assert loader.stats._replace(time=0.0) == Stats(batches=2, keys=3, hits=1, largest=2, time=0.0)


def test_keys_are_counted_whatever_the_function_does_with_its_list():
    loader = Loader(lambda keys: {keys.pop(): 1})
    loader(1)
    assert loader.stats.keys == 1


def test_a_loader_is_named_after_its_function():
    @asynq.loader
    def user(ids):
        return ids

    assert user.__name__ == "user"
    assert "user" in repr(user)
    assert repr(Loader(len, name="by length")) == "<loader by length>"


# Settings that make no sense


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_batch_size": 0}, ValueError, "max_batch_size must be 1 or more"),
        ({"max_batch_size": "5"}, TypeError, "max_batch_size must be an int"),
        ({"timeout": -1, "blocking": True}, ValueError, "timeout must be a positive number"),
        ({"timeout": 1}, ValueError, "timeout needs an asynchronous function"),
        ({"max_in_flight": 1}, ValueError, "max_in_flight needs an async def function"),
        ({"cache": 7}, TypeError, "cache must be True, False or a mutable mapping"),
        ({"cache": []}, TypeError, "cache must be True, False or a mutable mapping"),
        ({"cache": MappingProxyType({})}, TypeError, "a mutable mapping"),
        ({"default": 1, "default_factory": int}, ValueError, "exclude each other"),
        ({"after_flush": 7}, TypeError, "after_flush must be a function"),
        ({"priority": "high"}, TypeError, "priority must be a number"),
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        recording(**settings)


def test_only_a_function_that_blocks_is_declared_blocking():
    async def function(keys):
        return keys

    with pytest.raises(ValueError, match="blocking=True is for functions that block"):
        Loader(function, blocking=True)


def test_a_loader_is_made_of_a_function():
    with pytest.raises(TypeError, match=r"must be a function, got \{1: 2\}"):
        Loader({1: 2})


def interrupt(*_):
    raise KeyboardInterrupt


def test_an_interrupt_after_a_flush_ends_a_plain_call_too():
    loader = asynq.Loader(list, after_flush=interrupt)
    with pytest.raises(KeyboardInterrupt):
        loader(1)


def test_an_interrupt_in_a_cache_ends_the_call():
    class Cache(dict):
        __setitem__ = interrupt

    loader = asynq.Loader(list, cache=Cache())
    with pytest.raises(KeyboardInterrupt):
        loader(1)


@pytest.mark.parametrize("fails", [False, True])
def test_the_batch_of_a_plain_function_is_flushed_when_the_function_has_ended(fails):
    @asynq.loader
    def plain(keys):
        if fails:
            raise KeyError
        return keys

    load = plain.asynq(1)
    batch = load.batch
    load.error()
    assert batch.is_flushed()
    assert not plain._in_flight()
