"""The active task, and the creators of tasks."""

import pytest

from asynq import asynq, get_active_task


@asynq()
def double(x):
    return 2 * x


def test_no_task_is_active_outside():
    assert get_active_task() is None


def test_the_active_task_is_the_one_whose_code_runs(source):
    seen = []

    @asynq()
    def child():
        seen.append(get_active_task().fn)
        yield source.item(1)
        seen.append(get_active_task().fn)

    @asynq()
    def main():
        seen.append(get_active_task().fn)
        yield child.asynq()
        seen.append(get_active_task().fn)

    main()
    assert seen == [main.fn, child.fn, child.fn, main.fn]


def test_a_task_is_active_again_after_a_synchronous_call():
    @asynq()
    def main():
        before = get_active_task()
        double(1)
        assert get_active_task() is before
        yield None

    main()


def test_no_task_is_active_after_an_error():
    @asynq()
    def fail():
        yield None
        raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert get_active_task() is None


def test_a_plain_function_is_active_while_it_runs():
    @asynq()
    def main():
        return get_active_task().fn

    assert main() is main.fn


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_task_made_outside_has_no_creator():
    assert double.asynq(1).creator is None


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_the_creator_of_a_task_is_the_task_that_made_it():
    @asynq()
    def main():
        yield None
        return get_active_task(), double.asynq(1).creator

    maker, creator = main()
    assert creator is maker


def test_the_creator_is_who_made_a_task_not_who_awaits_it():
    @asynq()
    def wait_for(task):
        yield task

    @asynq()
    def main():
        task = double.asynq(1)
        yield wait_for.asynq(task)
        return get_active_task(), task.creator

    maker, creator = main()
    assert creator is maker


def test_a_task_is_running_while_its_code_runs():
    @asynq()
    def main():
        inside = get_active_task().running
        yield None
        return inside

    task = main.asynq()
    assert (task.running, task.value(), task.running) == (False, True, False)


def test_a_task_that_waits_is_not_running(new_source):
    tasks, seen = [], []
    source = new_source("source", answer=lambda item: seen.append(tasks[0].running))

    @asynq()
    def main():
        tasks.append(get_active_task())
        try:
            yield source.item(1)
        except AssertionError:
            pass

    main()
    assert seen == [False]
