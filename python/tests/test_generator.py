"""Generators that wait for futures between the values they produce."""

import copy
import gc
import pickle

import pytest

from asynq import (
    END_OF_GENERATOR,
    AsyncTask,
    ConstFuture,
    Value,
    async_generator,
    asynq,
    get_scheduler,
    list_of_generator,
    take_first,
)
from asynq.batching import DebugBatchItem


@asynq()
def double(x):
    return (yield DebugBatchItem(result=2 * x))


@async_generator()
def doubles(n):
    """Doubles of the first n numbers."""
    for x in range(n):
        yield Value((yield double.asynq(x)))


@async_generator()
def numbers(n):
    for x in range(n):
        yield Value(x)


@async_generator()
def doubles_and_more(n):
    for x in range(n):
        yield Value((yield double.asynq(x)))
    yield double.asynq(0)


@async_generator()
def echo():
    received = []
    while True:
        received.append((yield Value(tuple(received))))


# Collecting


@pytest.mark.parametrize("make", [doubles, doubles_and_more])
def test_the_list_of_a_generator_has_all_its_values(make):
    assert list_of_generator(make(3)) == [0, 2, 4]
    assert list_of_generator.asynq(make(3)).value() == [0, 2, 4]


def test_the_list_of_a_generator_that_waits_for_nothing_has_all_its_values():
    assert list_of_generator(numbers(3)) == [0, 1, 2]


def test_the_list_of_a_generator_without_values_is_empty():
    assert list_of_generator(doubles(0)) == []
    assert list_of_generator(doubles_and_more(0)) == []


def test_generators_that_are_collected_together_share_batches():
    sizes = []

    def count(batch):
        sizes.append(len(batch.items))

    @asynq()
    def fn():
        return (yield [list_of_generator.asynq(doubles(3)) for _ in range(10)])

    get_scheduler().on_before_batch_flush.subscribe(count)
    try:
        assert fn() == [[0, 2, 4]] * 10
    finally:
        get_scheduler().on_before_batch_flush.unsubscribe(count)
    assert sizes == [10, 10, 10]


def test_a_generator_may_use_another():
    @async_generator()
    def successors(n):
        for future in doubles_and_more(n):
            value = yield future
            if value is END_OF_GENERATOR:
                continue
            yield Value(value + 1)

    assert list_of_generator(successors(3)) == [1, 3, 5]


def test_take_first_stops_where_it_has_enough():
    values = doubles(4)
    assert take_first(values, 1) == [0]
    assert take_first(values, 2) == [2, 4]
    assert list_of_generator(values) == [6]


@pytest.mark.parametrize("make", [numbers, doubles, doubles_and_more])
def test_take_first_takes_what_there_is(make):
    expected = list_of_generator(make(3))
    assert take_first(make(3), 4) == expected
    assert take_first(make(3), 3) == expected


@pytest.mark.parametrize("n", [0, -1])
def test_take_first_of_nothing_leaves_the_generator_alone(n):
    values = doubles(2)
    assert take_first(values, n) == []
    assert list_of_generator(values) == [0, 2]


# One by one


def test_a_generator_that_waits_produces_tasks():
    future = next(doubles(1))
    assert type(future) is AsyncTask
    assert future.value() == 0


def test_a_generator_that_does_not_wait_produces_known_values():
    future = next(numbers(1))
    assert type(future) is ConstFuture
    assert future.value() == 0


def test_next_raises_stop_iteration_where_no_value_can_come():
    values = numbers(1)
    next(values)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(values)


def test_a_generator_that_waits_after_its_last_value_ends_with_a_marker():
    values = doubles_and_more(1)
    assert next(values).value() == 0
    future = next(values)
    assert type(future) is AsyncTask
    assert future.value() is END_OF_GENERATOR
    with pytest.raises(StopIteration):
        next(values)


def test_the_next_value_cannot_be_asked_for_before_the_last_is_computed():
    values = doubles(2)
    next(values)
    with pytest.raises(RuntimeError, match="compute the previous task"):
        next(values)


def test_the_method_next_is_the_same_as_the_function():
    values = numbers(2)
    assert (values.next().value(), next(values).value()) == (0, 1)


def test_the_collector_warns_of_nothing_in_a_generator_that_is_left():
    @async_generator()
    def waits():
        yield Value((yield double.asynq(1)))

    next(waits())
    gc.collect()  # A warning would be an error here.


def test_a_for_loop_iterates_over_futures():
    assert [future.value() for future in doubles(3)] == [0, 2, 4]


def test_send_gives_the_value_to_the_generator():
    values = echo()
    assert values.send(None) == ()
    assert values.send("a") == ("a",)
    assert values.send.asynq("b").value() == ("a", "b")


def test_send_raises_stop_iteration_at_the_end():
    values = numbers(0)
    with pytest.raises(StopIteration):
        values.send(None)
    with pytest.raises(StopIteration):
        values.send.asynq(None)


def test_a_generator_can_wait_for_several_futures_at_once():
    @async_generator()
    def pairs():
        yield Value((yield (double.asynq(1), double.asynq(2))))

    assert list_of_generator(pairs()) == [(2, 4)]


def test_an_error_in_the_body_is_raised_by_the_future():
    @async_generator()
    def values():
        yield Value((yield double.asynq(1)))
        yield double.asynq(2)
        raise KeyError("x")

    generator = values()
    assert next(generator).value() == 2
    with pytest.raises(KeyError):
        next(generator).value()


def test_an_error_in_what_it_waits_for_is_raised_by_the_future():
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    @async_generator()
    def values():
        yield fail.asynq()

    with pytest.raises(KeyError):
        next(values()).value()


def test_a_method_can_be_an_async_generator():
    class Numbers:
        n = 2

        @async_generator()
        def values(self, factor=1):
            for x in range(self.n):
                yield Value(x * factor)

    assert list_of_generator(Numbers().values(factor=3)) == [0, 3]


# Names and texts


def test_an_async_generator_function_keeps_its_name():
    assert (doubles.__name__, doubles.__doc__) == ("doubles", "Doubles of the first n numbers.")


def test_the_text_of_a_value():
    assert repr(Value("x")) == "<Value: 'x'>"
    assert Value("x").value == "x"


def test_the_text_of_the_marker():
    assert str(END_OF_GENERATOR) == repr(END_OF_GENERATOR) == "end of generator"


def pickle_and_back(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle_and_back])
def test_a_copy_of_the_marker_is_the_marker(copied):
    assert copied(END_OF_GENERATOR) is END_OF_GENERATOR


def test_the_text_of_a_generator_tells_whether_it_has_stopped():
    values = numbers(0)
    assert repr(values) == f"<@async_generator() {values.generator}>"
    with pytest.raises(StopIteration):
        next(values)
    assert repr(values) == f"<@async_generator() {values.generator} stopped>"
