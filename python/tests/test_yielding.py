"""The values that a task can yield, and the results it gets."""

import pytest

from asynq import AsyncTaskResult, ConstFuture, ErrorFuture, Future, FutureBase, asynq, result
from asynq.async_task import extract_futures, unwrap


@asynq()
def double(x):
    return 2 * x


@asynq()
def await_it(make):
    """Yields the result of `make()` in a task."""
    return (yield make())


def test_none_gives_none():
    assert await_it(lambda: None) is None


def test_a_task_gives_its_value():
    assert await_it(lambda: double.asynq(21)) == 42


def test_a_constant_gives_its_value():
    assert await_it(lambda: ConstFuture(42)) == 42


def test_an_item_gives_its_value(source):
    assert await_it(lambda: source.item(21)) == 42


def test_a_lazy_future_gives_its_value():
    assert await_it(lambda: Future(lambda: 42)) == 42


def test_a_lazy_future_is_computed_when_it_is_awaited(log):
    @asynq()
    def main():
        future = Future(lambda: log.append("computed"))
        log.append("made")
        yield future

    main()
    assert log == ["made", "computed"]


def test_a_future_that_computes_itself_gives_its_value():
    class Answer(FutureBase):
        def _compute(self):
            self.set_value(42)

    assert await_it(Answer) == 42


def test_a_future_whose_computing_fails_raises_its_error():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        await_it(lambda: Future(fail))


def test_an_error_future_raises_its_error():
    with pytest.raises(KeyError):
        await_it(lambda: ErrorFuture(KeyError("x")))


# Structures.


@pytest.mark.parametrize("empty", [[], (), {}])
def test_an_empty_structure_gives_an_empty_structure(empty):
    value = await_it(lambda: empty)
    assert value == empty
    assert type(value) is type(empty)


def test_a_list_gives_a_list():
    assert await_it(lambda: [double.asynq(1), double.asynq(2), double.asynq(3)]) == [2, 4, 6]


@pytest.mark.parametrize("length", range(5))
def test_a_tuple_gives_a_tuple(length):
    value = await_it(lambda: tuple(double.asynq(x) for x in range(length)))
    assert value == tuple(2 * x for x in range(length))


def test_a_dict_gives_a_dict_of_the_same_keys():
    value = await_it(lambda: {"a": double.asynq(1), 2: double.asynq(2)})
    assert value == {"a": 2, 2: 4}


def test_a_dict_keeps_its_order():
    value = await_it(lambda: {key: double.asynq(1) for key in "zyxab"})
    assert list(value) == list("zyxab")


def test_structures_may_nest():
    value = await_it(
        lambda: [(double.asynq(1), {"a": [double.asynq(2), None], "b": ()}), None, ConstFuture(5)]
    )
    assert value == [(2, {"a": [4, None], "b": ()}), None, 5]


def test_none_in_a_structure_stays_none():
    assert await_it(lambda: [None, double.asynq(1), None]) == [None, 2, None]


def test_the_same_task_twice_gives_its_value_twice():
    task = double.asynq(1)
    assert await_it(lambda: [task, (task, {"a": task})]) == [2, (2, {"a": 2})]


def test_the_yielded_list_itself_stays_as_it_was():
    tasks = [double.asynq(1)]
    before = list(tasks)
    assert await_it(lambda: tasks) is not tasks
    assert tasks == before


def test_a_long_list_gives_all_its_values(source):
    assert await_it(lambda: [source.item(x) for x in range(5000)]) == list(range(0, 10000, 2))


def test_values_that_are_structures_of_futures_are_not_looked_into():
    inner = [ConstFuture(1)]
    assert await_it(lambda: ConstFuture(inner)) is inner


@pytest.mark.parametrize(
    "value",
    [1, "text", b"", object(), {1, 2}, iter([]), range(3), True, double, KeyError("x")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_a_future_cannot_be_awaited(value):
    with pytest.raises(TypeError, match="Cannot unwrap an object of type"):
        await_it(lambda: value)


def test_what_is_not_a_future_cannot_be_awaited_in_a_structure():
    with pytest.raises(TypeError, match="Cannot unwrap an object of type 'int'"):
        await_it(lambda: [double.asynq(1), (2,)])


class Row(tuple):
    pass


class Rows(list):
    pass


class Table(dict):
    pass


@pytest.mark.parametrize(
    "structure", [Row([None]), Rows([None]), Table(a=None)], ids=lambda it: type(it).__name__
)
def test_subclasses_of_the_structures_cannot_be_awaited(structure):
    with pytest.raises(TypeError, match="Cannot unwrap"):
        await_it(lambda: structure)


def test_the_error_of_a_wrong_yield_can_be_caught_by_the_task():
    @asynq()
    def main():
        try:
            yield 42
        except TypeError:
            return (yield ConstFuture("caught"))

    assert main() == "caught"


def test_what_else_was_yielded_runs_before_a_wrong_yield_fails(log):
    @asynq()
    def child():
        log.append("ran")
        yield None

    with pytest.raises(TypeError):
        await_it(lambda: [42, child.asynq()])
    assert log == ["ran"]


def test_a_task_may_yield_again_and_again(source):
    @asynq()
    def total(count):
        total = 0
        for x in range(count):
            total += yield source.item(x)
        return total

    assert total(100) == 9900
    assert source.flushed == [[x] for x in range(100)]


def test_yield_from_is_part_of_the_task():
    def helper():
        return (yield double.asynq(1)) + (yield double.asynq(2))

    @asynq()
    def main():
        return 1 + (yield from helper())

    assert main() == 7


# The end of a task.


def test_return_gives_the_value():
    @asynq()
    def main():
        yield None
        return 42

    assert main() == 42


def test_result_gives_the_value():
    @asynq()
    def main():
        yield None
        result(42)

    assert main() == 42


def test_result_ends_the_task(log):
    @asynq()
    def main():
        result(42)
        log.append("went on")
        yield None

    assert main() == 42
    assert log == []


def test_result_works_in_a_plain_function():
    @asynq()
    def main():
        result(42)

    assert main() == 42


def test_result_runs_finally_blocks(log):
    @asynq()
    def main():
        try:
            yield None
            result(42)
        finally:
            log.append("finally")

    assert main() == 42
    assert log == ["finally"]


def test_result_passes_an_except_exception():
    @asynq()
    def main():
        try:
            result(42)
        except Exception:
            return "caught"
        yield None

    assert main() == 42


def test_the_exception_behind_result_has_the_value():
    with pytest.raises(AsyncTaskResult) as caught:
        result(42)
    assert caught.value.result == 42


def test_result_takes_no_future():
    with pytest.raises(AssertionError, match="You probably forgot to yield this value"):
        result(ConstFuture(42))


def test_a_generator_that_exits_gives_none():
    @asynq()
    def main():
        yield None
        raise GeneratorExit

    assert main() is None


def test_a_task_that_yields_nothing_gives_what_it_returns():
    @asynq()
    def main():
        if False:
            yield
        return 42

    assert main() == 42


# StopIteration.


def test_stop_iteration_raised_in_a_generator_is_a_runtime_error():
    @asynq()
    def main():
        yield None
        raise StopIteration(42)

    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        main()


def test_next_on_an_empty_iterator_in_a_generator_is_a_runtime_error():
    @asynq()
    def main():
        yield None
        return next(iter([]))

    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        main()


def test_stop_iteration_that_another_task_failed_with_can_be_caught():
    @asynq()
    def main():
        try:
            yield ErrorFuture(StopIteration("x"))
        except StopIteration as error:
            return error.args

    assert main() == ("x",)


def test_a_stop_iteration_can_be_a_value():
    @asynq()
    def main():
        yield None
        return StopIteration("x")

    assert main().args == ("x",)


# The same, outside of tasks.


def test_unwrap_gives_the_values_of_a_structure():
    assert unwrap([double.asynq(1), (ConstFuture(3), None), {"a": ConstFuture(4)}]) == (
        [2, (3, None), {"a": 4}]
    )


def test_unwrap_complains_of_anything_else():
    with pytest.raises(TypeError, match="Cannot unwrap an object of type 'int'"):
        unwrap(42)


def test_extract_futures_appends_the_futures_of_a_structure():
    a, b, c = ConstFuture(1), ConstFuture(2), ConstFuture(3)
    found = extract_futures([a, (b, None), [[c], 5]], ["before"])
    assert found == ["before", c, b, a]
