import os
import traceback

from forks import fork, leave, needs_fork, wait_for

from asynq import AsyncContext, asynq, get_active_task

pytestmark = needs_fork


def fork_in(run, check):
    """Calls `check` on the value of `run(fork)`, in this process and in the child that it forks.

    `run` must call its argument once, which returns True in the child and False in the parent.
    """
    parent, children = os.getpid(), []

    def is_child():
        pid = fork()
        if pid:
            children.append(pid)
        return pid == 0

    try:
        check(run(is_child))
    except BaseException:
        if os.getpid() == parent:
            raise
        traceback.print_exc()
        leave(False)
    if os.getpid() != parent:
        leave(True)
    (child,) = children
    wait_for(child)


def equals(expected):
    def check(value):
        assert value == expected

    return check


@asynq()
def look_up(source, key):
    return (yield source.item(key))


def test_both_processes_go_on_with_the_task_that_forked(source):
    @asynq()
    def forks(is_child):
        before = yield source.item(1)
        is_child()
        after = yield source.item(before)
        return before, after

    @asynq()
    def main(is_child):
        return (yield forks.asynq(is_child), look_up.asynq(source, 5))

    fork_in(main, equals(((2, 4), 10)))
    assert source.flushed == [[1, 5], [2]]


def test_both_processes_go_on_with_the_tasks_that_waited_meanwhile(source):
    @asynq()
    def forks(is_child):
        is_child()
        yield None

    @asynq()
    def main(is_child):
        values = yield [look_up.asynq(source, key) for key in (1, 2, 3)] + [forks.asynq(is_child)]
        return values, source.flushed

    fork_in(main, equals(([2, 4, 6, None], [[1, 2, 3]])))


def test_both_processes_go_on_with_a_flush(new_source):
    source = new_source("source")

    def run(is_child):
        def answer(item):
            if item.key == 1:
                is_child()
            item.set_value(2 * item.key)

        source.answer = answer
        return main()

    @asynq()
    def main():
        return (yield look_up.asynq(source, 1), look_up.asynq(source, 2))

    fork_in(run, equals((2, 4)))


def test_both_processes_go_on_with_a_synchronous_call(source):
    @asynq()
    def inner(is_child):
        yield source.item(1)
        is_child()
        return (yield source.item(2))

    @asynq()
    def outer(is_child):
        yield source.item(3)
        value = inner(is_child)
        return value, (yield source.item(4))

    fork_in(outer, equals((4, 8)))


def test_contexts_are_paused_and_resumed_in_both_processes(source, log):
    class Named(AsyncContext):
        def resume(self):
            log.append("+")

        def pause(self):
            log.append("-")

    @asynq()
    def main(is_child):
        with Named():
            is_child()
            yield source.item(1)
        return "".join(entry for entry in log if isinstance(entry, str))

    fork_in(main, equals("+-+-"))


def test_the_child_may_leave_the_call_by_an_error(source):
    class InChild(Exception):
        pass

    @asynq()
    def forks(is_child):
        if is_child():
            raise InChild
        return (yield source.item(1))

    @asynq()
    def main(is_child):
        return (yield look_up.asynq(source, 2), forks.asynq(is_child))

    def run(is_child):
        try:
            return main(is_child)
        except InChild:
            return look_up(source, 2), look_up(source, 1)

    fork_in(run, equals((4, 2)))


def test_the_child_has_no_active_task_of_its_own_after_the_call(source):
    @asynq()
    def main(is_child):
        is_child()
        yield source.item(1)

    def run(is_child):
        main(is_child)
        return get_active_task()

    fork_in(run, equals(None))


def test_a_child_forked_outside_of_tasks_runs_tasks(source):
    look_up(source, 1)

    def run(is_child):
        is_child()
        return look_up(source, 21)

    fork_in(run, equals(42))
