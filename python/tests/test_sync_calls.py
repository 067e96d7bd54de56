"""Synchronous calls of async functions inside tasks."""

from asynq import asynq


@asynq()
def double(x):
    return 2 * x


@asynq()
def add(x, y=0, *more, **named):
    yield None
    return x + y + sum(more) + sum(named.values())


def test_a_task_may_call_an_async_function_synchronously():
    @asynq()
    def main(x):
        yield None
        return double(x) + 1

    assert main(20) == 41


def test_a_plain_function_may_call_an_async_function_synchronously():
    @asynq()
    def main(x):
        return double(x) + add(x, 1)

    assert main(10) == 31


def test_synchronous_calls_may_nest():
    @asynq()
    def count_down(n):
        yield None
        return 0 if n == 0 else 1 + count_down(n - 1)

    assert count_down(30) == 30


def test_a_synchronous_call_does_not_run_unrelated_tasks(log, source):
    @asynq()
    def look_up():
        return (yield source.item(1))

    @asynq()
    def caller():
        log.append("calls")
        look_up()
        log.append("called")
        yield None

    @asynq()
    def unrelated():
        log.append("unrelated")
        yield None

    @asynq()
    def main():
        yield caller.asynq(), unrelated.asynq()

    main()
    assert log == ["calls", ("source", [1]), "called", "unrelated"]


def test_a_synchronous_call_runs_what_it_needs_of_an_outer_call(log, source):
    @asynq()
    def shared():
        yield source.item(1)
        log.append("shared")
        return 42

    @asynq()
    def caller(task):
        log.append("calls")
        value = task.value()
        log.append("called")
        yield None
        return value

    @asynq()
    def main():
        task = shared.asynq()
        return (yield task, caller.asynq(task))

    assert main() == (42, 42)
    assert log == ["calls", ("source", [1]), "shared", "called"]


def test_ten_thousand_siblings_that_call_synchronously_do_not_nest(source):
    @asynq()
    def look_up(x):
        return (yield source.item(x))

    @asynq()
    def caller(x):
        yield None
        return look_up(x)

    @asynq()
    def main():
        return sum((yield [caller.asynq(x) for x in range(10_000)]))

    assert main() == 99_990_000


def test_a_batch_flushed_in_a_synchronous_call_takes_all_its_items_along(source):
    @asynq()
    def waits():
        return (yield source.item(1))

    @asynq()
    def calls():
        yield None
        return waits()

    @asynq()
    def main():
        return (yield waits.asynq(), waits.asynq(), calls.asynq())

    assert main() == (2, 2, 2)
    assert source.flushed == [[1, 1, 1]]


def test_a_value_asked_for_inside_a_flush_is_a_synchronous_call_too(new_source):
    inner = new_source("inner")

    @asynq()
    def look_up(key):
        return (yield inner.item(key))

    outer = new_source("outer", answer=lambda item: item.set_value(look_up(item.key) + 1))

    @asynq()
    def main():
        return (yield [outer.item(1), outer.item(2)])

    assert main() == [3, 5]
