"""The order in which tasks run."""

from asynq import ConstFuture, asynq


def test_tasks_awaited_together_start_in_the_order_given(log):
    @asynq()
    def child(name):
        log.append(name)
        yield None

    @asynq()
    def main():
        yield [child.asynq("a"), (child.asynq("b"), child.asynq("c")), {"d": child.asynq("d")}]

    main()
    assert log == ["a", "b", "c", "d"]


def test_tasks_start_depth_first(log, source):
    @asynq()
    def leaf(name):
        log.append(name)
        yield source.item(1)

    @asynq()
    def branch(name):
        log.append(name)
        yield leaf.asynq(name + "1"), leaf.asynq(name + "2")

    @asynq()
    def main():
        yield branch.asynq("a"), branch.asynq("b")

    main()
    assert log[:-1] == ["a", "a1", "a2", "b", "b1", "b2"]


def test_woken_tasks_go_on_in_the_order_in_which_they_began_to_wait(log, source):
    @asynq()
    def child(name):
        yield source.item(1)
        log.append(name)

    @asynq()
    def main():
        yield [child.asynq(name) for name in "abc"]

    main()
    assert log[1:] == ["a", "b", "c"]


def test_a_task_that_came_late_to_the_wait_goes_on_late(log, new_source):
    first, second = new_source("first", priority=2), new_source("second", priority=1)

    @asynq()
    def late():
        yield first.item(1)
        yield second.item(2)
        log.append("late")

    @asynq()
    def early():
        yield second.item(3)
        log.append("early")

    @asynq()
    def main():
        yield late.asynq(), early.asynq()

    main()
    assert log == [("first", [1]), ("second", [3, 2]), "early", "late"]


def test_who_waits_goes_on_when_the_last_of_all_is_there(log, new_source):
    first, second = new_source("first", priority=2), new_source("second", priority=1)

    @asynq()
    def main():
        yield first.item(1), second.item(2)
        log.append("both")

    main()
    assert log == [("first", [1]), ("second", [2]), "both"]


def test_a_task_whose_awaited_values_are_there_goes_on_at_once(log):
    @asynq()
    def child():
        for step in range(3):
            log.append(step)
            yield ConstFuture(None), None

    @asynq()
    def other():
        log.append("other")

    @asynq()
    def main():
        yield child.asynq(), other.asynq()

    main()
    assert log == [0, 1, 2, "other"]
