"""The caching tools: caches, constants and shared tasks."""

import gc
import pickle
import threading
import weakref

import pytest

from asynq import ConstFuture, async_proxy, asynq, get_active_task, make_async_decorator
from asynq._lru import Lru
from asynq.batching import DebugBatchItem
from asynq.tools import (
    acached_per_instance,
    alazy_constant,
    alru_cache,
    aretry,
    deduplicate,
)


@asynq()
def wait():
    yield DebugBatchItem()


# acached_per_instance


class Source:
    def __init__(self):
        self.calls = []

    @acached_per_instance()
    @asynq()
    def get(self, key, suffix="", *rest, mark=None):
        """Gets a value."""
        self.calls.append((key, suffix, rest, mark))
        yield wait.asynq()
        return key, suffix, rest, mark

    @acached_per_instance()
    @asynq()
    def only_keyword(self, *, key=1):
        self.calls.append(key)
        return key

    @acached_per_instance()
    @asynq()
    def fail(self):
        self.calls.append("fail")
        raise KeyError

    @acached_per_instance()
    @asynq()
    def none(self):
        self.calls.append("none")


class Unhashable(Source):
    __hash__ = None


class Slots:
    __slots__ = ("__weakref__", "calls")

    __init__ = Source.__init__
    get = vars(Source)["get"]


@pytest.mark.parametrize("cls", [Source, Unhashable, Slots])
def test_a_method_is_called_once_for_equal_arguments(cls):
    source = cls()
    for _ in range(2):
        assert source.get("k") == source.get.asynq("k").value() == ("k", "", (), None)
    assert len(source.calls) == 1


def test_arguments_by_position_name_or_default_are_equal():
    source = Source()
    for args, kwargs in [
        (("k",), {}),
        (("k", ""), {}),
        ((), {"key": "k"}),
        (("k",), {"suffix": "", "mark": None}),
        ((), {"suffix": "", "key": "k"}),
    ]:
        assert source.get(*args, **kwargs) == ("k", "", (), None)
    assert len(source.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("l",), {}),
        (("k", "s"), {}),
        (("k",), {"suffix": "t"}),
        (("k",), {"mark": 1}),
        (("k", "", 1), {}),
        (("k", "", None), {}),
    ],
)
def test_different_arguments_are_different(args, kwargs):
    source = Source()
    first = source.get("k")
    assert source.get(*args, **kwargs) != first
    assert len(source.calls) == 2


def test_a_keyword_only_argument_counts():
    source = Source()
    assert source.only_keyword() == source.only_keyword(key=1) == 1
    assert source.only_keyword(key=2) == 2
    assert source.calls == [1, 2]


def test_none_is_remembered():
    source = Source()
    assert source.none() is source.none() is None
    assert source.calls == ["none"]


def test_objects_do_not_share_their_values():
    one, other = Source(), Source()
    one.get("k")
    other.get("k")
    assert one.calls == other.calls == [("k", "", (), None)]


def test_an_error_is_not_remembered():
    source = Source()
    for _ in range(2):
        with pytest.raises(KeyError):
            source.fail()
    assert source.calls == ["fail", "fail"]
    assert get_active_task() is None


def test_missing_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="key"):
        Source().get(suffix="x")


def test_unknown_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Source().get("k", unknown=1)


def test_the_values_go_with_their_object():
    class Source:
        @acached_per_instance()
        @asynq()
        def get(self, key):
            return [key]

    cache = Source.get.decorator.__acached_per_instance_cache__
    source = Source()
    source.get("k")
    source.get("l")
    assert len(cache) == 1
    del source
    gc.collect()
    assert len(cache) == 0


def test_an_object_that_allows_no_weak_references_is_a_type_error():
    class NoWeakReferences:
        __slots__ = ()
        none = vars(Source)["none"]

    with pytest.raises(TypeError, match="weak reference"):
        NoWeakReferences().none()


def test_the_values_are_not_pickled_with_their_object():
    source = Source()
    source.get("k")
    source.calls.clear()
    copy = pickle.loads(pickle.dumps(source))
    copy.get("k")
    assert len(copy.calls) == 1


def test_a_cached_method_keeps_its_name():
    decorator = Source.get.decorator
    assert (decorator.__name__, decorator.__doc__) == ("get", "Gets a value.")


# alru_cache


class Counted:
    """A function that records its calls."""

    def __init__(self):
        self.calls = []

    def cached(self, **options):
        @alru_cache(**options)
        @asynq()
        def fn(a, b=2, *rest, c=3, **others):
            self.calls.append((a, b, rest, c, others))
            yield wait.asynq()
            return a, b, rest, c, others

        return fn


def test_a_function_is_called_once_for_equal_arguments():
    counted = Counted()
    fn = counted.cached()
    for args, kwargs in [
        ((1,), {}),
        ((1, 2), {}),
        ((), {"a": 1}),
        ((1,), {"c": 3, "b": 2}),
    ]:
        assert fn(*args, **kwargs) == fn.asynq(*args, **kwargs).value() == (1, 2, (), 3, {})
    assert len(counted.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((1,), {"b": 5}),
        ((1,), {"c": 5}),
        ((1, 3), {}),
        ((1, 2, 3), {}),
        ((1, 2, 3), {"c": 5}),
        ((1,), {"d": 4}),
        ((), {"a": 7}),
    ],
)
def test_the_result_is_that_of_the_arguments(args, kwargs):
    counted = Counted()
    fn = counted.cached()
    fn(1)
    assert fn(*args, **kwargs) == counted.calls[-1]
    assert len(counted.calls) == 2


def test_the_arguments_used_longest_ago_are_forgotten():
    counted = Counted()
    fn = counted.cached(maxsize=2)
    for a in (1, 2, 1, 3, 1, 2):
        fn(a)
    assert [call[0] for call in counted.calls] == [1, 2, 3, 2]


def test_128_arguments_are_remembered_unless_told_otherwise():
    counted = Counted()
    fn = counted.cached()
    for a in [*range(128), 0, 128, 0, 1]:
        fn(a)
    assert [call[0] for call in counted.calls] == [*range(129), 1]


def test_key_fn_makes_the_key():
    counted = Counted()
    fn = counted.cached(key_fn=lambda args, kwargs: args[0] % 2)
    assert [fn(1)[0], fn(3)[0], fn(2)[0], fn(4)[0]] == [1, 1, 2, 2]


def test_each_function_has_a_cache_of_its_own():
    one, other = Counted(), Counted()
    one.cached()(1)
    other.cached()(1)
    assert len(one.calls) == len(other.calls) == 1


def test_the_object_of_a_method_is_part_of_the_key():
    class Named:
        def __init__(self, name):
            self.name = name

        @alru_cache()
        @asynq()
        def get(self, key, suffix=""):
            return self.name, key, suffix

    one, other = Named("one"), Named("other")
    assert [one.get("k"), other.get("k"), one.get("k", suffix="s")] == [
        ("one", "k", ""),
        ("other", "k", ""),
        ("one", "k", "s"),
    ]


def test_an_error_of_a_function_is_not_remembered():
    calls = []

    @alru_cache()
    @asynq()
    def fn():
        calls.append(1)
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            fn()
        assert caught.value.__context__ is None
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("maxsize", "error"), [(0, ValueError), (-1, ValueError), (None, TypeError)]
)
def test_a_size_that_makes_no_sense_is_an_error(maxsize, error):
    with pytest.raises(error, match="maxsize must be"):
        alru_cache(maxsize=maxsize)(wait)


def test_arguments_that_cannot_be_hashed_are_a_type_error():
    with pytest.raises(TypeError, match="unhashable"):
        Counted().cached()([])


# alazy_constant


@pytest.fixture
def clock(monkeypatch):
    """A stopped clock: `clock.now` is the time in microseconds."""

    class Clock:
        now = 1_000_000_000

    monkeypatch.setattr("asynq.tools.utime", lambda: Clock.now)
    return Clock


@pytest.fixture
def make_counter():
    """Creates a constant whose value is the number of times it was computed."""

    def make(**options):
        count = 0

        @alazy_constant(**options)
        @asynq()
        def counter():
            """Counts."""
            nonlocal count
            yield wait.asynq()
            count += 1
            return count

        return counter

    return make


def test_a_constant_is_computed_once(make_counter):
    counter = make_counter()
    assert [counter(), counter.asynq().value(), counter()] == [1, 1, 1]


def test_a_dirty_constant_is_computed_again(make_counter):
    counter = make_counter()
    counter()
    counter.dirty()
    assert [counter(), counter()] == [2, 2]


def test_a_constant_without_ttl_lasts_for_ever(make_counter, clock):
    counter = make_counter()
    counter()
    clock.now *= 1000
    assert counter() == 1


def test_a_constant_lasts_for_its_ttl_in_microseconds(make_counter, clock):
    counter = make_counter(ttl=100)
    values = []
    for step in (0, 50, 50, 1, 100, 1):
        clock.now += step
        values.append(counter())
    assert values == [1, 1, 1, 2, 2, 3]


def test_a_constant_may_be_none():
    calls = []

    @alazy_constant()
    @asynq()
    def none():
        calls.append(1)

    assert none() is none() is None
    assert len(calls) == 1


def test_the_state_of_a_constant_can_be_read(make_counter, clock):
    counter = make_counter()
    assert counter.alazy_constant_refresh_time == 0
    assert counter.alazy_constant_cached_value is None
    counter()
    assert counter.alazy_constant_refresh_time == clock.now
    assert counter.alazy_constant_cached_value == 1


def test_an_error_of_a_constant_is_not_remembered():
    errors = [KeyError()]

    @alazy_constant()
    @asynq()
    def fn():
        if errors:
            raise errors.pop()
        return 1

    with pytest.raises(KeyError):
        fn()
    assert fn() == 1


def test_a_constant_keeps_its_name(make_counter):
    counter = make_counter()
    assert (counter.__name__, counter.__doc__) == ("counter", "Counts.")


# deduplicate


class Log:
    """A deduplicated function that records its calls."""

    def __init__(self, **options):
        self.calls = calls = []

        @deduplicate(**options)
        @asynq()
        def fn(a, b=2, *rest, c=3):
            """About fn."""
            calls.append((a, b, rest, c))
            yield DebugBatchItem()
            return a, b, rest, c

        self.fn = fn


@asynq()
def together(*tasks):
    return (yield list(tasks))


def test_equal_calls_share_a_task():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(1) is task
    assert together(task, task) == [(1, 2, (), 3)] * 2
    assert len(log.calls) == 1


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, 2), {}), ((), {"a": 1}), ((1,), {"b": 2}), ((1,), {"c": 3})],
)
def test_equal_arguments_by_position_name_or_default_share_a_task(args, kwargs):
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(*args, **kwargs) is task


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((2,), {}), ((1, 3), {}), ((1,), {"c": 4}), ((1, 2, 3), {})],
)
def test_different_arguments_do_not_share_a_task(args, kwargs):
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.asynq(*args, **kwargs) is not task


def test_calls_while_the_task_waits_share_it():
    log = Log()

    @asynq()
    def later():
        yield DebugBatchItem("first", result=None)
        return (yield log.fn.asynq(1))

    assert together(later.asynq(), log.fn.asynq(1)) == [(1, 2, (), 3)] * 2
    assert len(log.calls) == 1


def test_a_call_after_the_end_of_the_task_starts_another():
    log = Log()
    task = log.fn.asynq(1)
    task.value()
    assert log.fn.asynq(1) is not task
    log.fn.asynq(1).value()
    assert len(log.calls) == 2


def test_a_call_after_the_task_has_failed_starts_another():
    calls = []

    @deduplicate()
    @asynq()
    def fn():
        calls.append(1)
        yield DebugBatchItem()
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            together(fn.asynq(), fn.asynq())
    assert len(calls) == 2


def test_a_synchronous_call_does_not_share():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn(1) == (1, 2, (), 3)
    assert not task.is_computed()
    task.value()
    assert len(log.calls) == 2


def test_keygetter_makes_the_key():
    log = Log(keygetter=lambda args, kwargs: args[0] % 2)
    task = log.fn.asynq(1)
    assert log.fn.asynq(3) is task
    assert log.fn.asynq(2) is not task


def test_functions_do_not_share_with_each_other():
    class Pair:
        @deduplicate()
        @asynq()
        def three(self):
            return 3

        @deduplicate()
        @asynq()
        def five(self):
            return 5

    pair = Pair()
    assert together(pair.three.asynq(), pair.five.asynq()) == [3, 5]


def test_threads_do_not_share_with_each_other():
    log = Log()
    task = log.fn.asynq(1)
    seen = []

    def other():
        other_task = log.fn.asynq(1)
        seen.append((other_task is task, other_task.value()))

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    thread.join()
    assert seen == [(False, (1, 2, (), 3))]


def test_dirty_makes_the_next_call_start_a_task():
    log = Log()
    task = log.fn.asynq(1)
    other = log.fn.asynq(2)
    log.fn.dirty(a=1)
    assert log.fn.asynq(1) is not task
    assert log.fn.asynq(2) is other


def test_dirty_without_a_task_does_nothing():
    log = Log()
    log.fn.dirty(1)
    assert log.fn(1) == (1, 2, (), 3)


def test_a_task_that_ends_after_dirty_leaves_its_successor_alone():
    log = Log()
    task = log.fn.asynq(1)
    log.fn.dirty(1)
    successor = log.fn.asynq(1)
    task.value()
    assert log.fn.asynq(1) is successor


def test_a_function_may_call_itself_after_dirty():
    depth = []

    @deduplicate()
    @asynq()
    def fn():
        depth.append(1)
        if len(depth) < 3:
            fn.dirty()
            yield fn.asynq()
        return len(depth)

    assert fn.asynq().value() == 3


def test_a_call_made_while_the_body_runs_starts_a_task():
    calls = []

    @deduplicate()
    @asynq()
    def fn():
        calls.append(1)
        yield DebugBatchItem()
        if len(calls) == 1:
            call_again()

    @asynq()
    def call_again():
        yield fn.asynq()

    fn.asynq().value()
    assert len(calls) == 2


def test_a_function_may_call_itself_with_other_arguments():
    @deduplicate()
    @asynq()
    def fn(n):
        yield DebugBatchItem()
        return 0 if n == 0 else 1 + (yield fn.asynq(n - 1))

    assert together(fn.asynq(20), fn.asynq(10)) == [20, 10]


def test_methods_of_each_kind_share_tasks():
    calls = []

    class Shape:
        @deduplicate()
        @asynq()
        def method(self, x=1):
            calls.append(("method", x))
            yield DebugBatchItem()
            return self

        @deduplicate()
        @asynq()
        @classmethod
        def classmethod_(cls, x=1):
            calls.append(("classmethod", x))
            yield DebugBatchItem()
            return cls

        @deduplicate()
        @asynq()
        @staticmethod
        def staticmethod_(x=1):
            calls.append(("staticmethod", x))
            yield DebugBatchItem()
            return x

    class Square(Shape):
        pass

    shape, other = Shape(), Shape()
    assert together(shape.method.asynq(), shape.method.asynq(1), other.method.asynq()) == [
        shape,
        shape,
        other,
    ]
    assert together(
        Shape.classmethod_.asynq(), shape.classmethod_.asynq(1), Square.classmethod_.asynq()
    ) == [Shape, Shape, Square]
    assert together(Shape.staticmethod_.asynq(), shape.staticmethod_.asynq(1)) == [1, 1]
    assert calls == [("method", 1)] * 2 + [("classmethod", 1)] * 2 + [("staticmethod", 1)]


def test_a_method_can_be_made_dirty():
    class Shape:
        @deduplicate()
        @asynq()
        def method(self, x=1):
            yield DebugBatchItem()

        @deduplicate()
        @asynq()
        @staticmethod
        def staticmethod_(x=1):
            yield DebugBatchItem()

    shape = Shape()
    tasks = shape.method.asynq(), shape.staticmethod_.asynq()
    shape.method.dirty(x=1)
    Shape.staticmethod_.dirty(1)
    assert shape.method.asynq() is not tasks[0]
    assert shape.staticmethod_.asynq() is not tasks[1]


def test_missing_arguments_of_a_deduplicated_function_are_a_type_error():
    @deduplicate()
    @asynq()
    def fn(*, arg):
        return arg

    with pytest.raises(TypeError):
        fn.asynq(1).value()
    assert fn.asynq(arg=1).value() == 1


def test_a_deduplicated_function_keeps_its_name():
    fn = Log().fn
    assert (fn.__name__, fn.__doc__) == ("fn", "About fn.")


def test_a_proxy_can_be_deduplicated():
    log = Log()
    made = []

    @deduplicate()
    @async_proxy()
    def proxy(x):
        made.append(x)
        return log.fn.asynq(x)

    assert proxy.asynq(1) is proxy.asynq(1)
    assert made == [1]


def test_what_is_computed_from_the_start_is_not_kept():
    made = []

    @deduplicate()
    @async_proxy()
    def proxy(x):
        made.append(x)
        return ConstFuture(len(made))

    assert [proxy.asynq(1).value(), proxy.asynq(1).value()] == [1, 2]


def test_a_made_decorator_can_be_deduplicated():
    def doubled(fn):
        @asynq(pure=True)
        def wrapper(x):
            return 2 * (yield fn.asynq(x))

        return make_async_decorator(fn, wrapper, "doubled")

    @deduplicate()
    @doubled
    @asynq()
    def fn(x):
        yield DebugBatchItem()
        return x

    assert fn.asynq(1) is not fn.asynq(2)
    assert together(fn.asynq(1), fn.asynq(1)) == [2, 2]


def test_a_retried_function_can_be_deduplicated():
    calls = []

    @deduplicate()
    @aretry(KeyError, sleep=0)
    @asynq()
    def fn(x, y=2):
        calls.append(x)
        yield DebugBatchItem()
        if len(calls) < 3:
            raise KeyError
        return x

    assert together(fn.asynq(1), fn.asynq(x=1)) == [1, 1]
    assert len(calls) == 3


def test_the_tasks_that_are_under_way_can_be_looked_at():
    log = Log()
    task = log.fn.asynq(1)
    assert log.fn.tasks == {log.fn.cache_key((1,), {}): task}
    task.value()
    assert log.fn.tasks == {}


def test_the_tasks_that_are_under_way_go_with_their_function():
    class Marker:
        pass

    def start_and_forget():
        marker = Marker()

        @deduplicate()
        @asynq()
        def fn():
            yield DebugBatchItem(result=marker)

        fn.asynq()
        return weakref.ref(marker)

    marker = start_and_forget()
    gc.collect()
    assert marker() is None


# The cache of limited size


def test_reading_and_writing_keep_a_key():
    cache = Lru(2)
    cache["a"] = 1
    cache["b"] = 2
    assert cache["a"] == 1
    cache["c"] = 3
    cache["a"] = 4
    cache["d"] = 5
    assert (list(cache), len(cache)) == (["a", "d"], 2)
