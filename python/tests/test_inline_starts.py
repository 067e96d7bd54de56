"""Tasks that start where they are asked for: nobody can tell them from others."""

import pytest

from asynq import AsyncContext, asynq, debug, get_active_task


@asynq()
def load(source, key):
    return (yield source.item(key))


def test_children_start_in_order_and_depth_first(source):
    log = []

    @asynq()
    def leaf(name):
        log.append(name)
        return (yield source.item(name))

    @asynq()
    def branch(name):
        log.append(name)
        return (yield [leaf.asynq(10 * name), leaf.asynq(10 * name + 1)])

    @asynq()
    def root():
        return (yield [branch.asynq(1), branch.asynq(2)])

    assert root() == [[20, 22], [40, 42]]
    assert log == [1, 10, 11, 2, 20, 21]
    assert source.flushed == [[10, 11, 20, 21]]


def test_a_child_that_calls_synchronously_takes_along_what_its_sibling_waits_for(source):
    @asynq()
    def calls(key):
        return load(source, key)

    @asynq()
    def root():
        return (yield [load.asynq(source, 1), calls.asynq(2), load.asynq(source, 3)])

    assert root() == [2, 4, 6]
    assert source.flushed == [[1, 2], [3]]


def test_a_child_can_call_a_sibling_that_has_not_started(source):
    @asynq()
    def second():
        return (yield source.item(2))

    @asynq()
    def first(sibling):
        return sibling.value()

    @asynq()
    def root():
        sibling = second.asynq()
        return (yield [first.asynq(sibling), sibling])

    assert root() == [4, 4]
    assert source.flushed == [[2]]


def test_a_sibling_that_starts_after_a_context_was_entered_is_not_under_it(source):
    active = []

    class Context(AsyncContext):
        def resume(self):
            active.append(self)

        def pause(self):
            active.remove(self)

    @asynq()
    def first(sibling):
        with Context():
            assert active
            return (yield sibling)

    @asynq()
    def second():
        assert not active
        return (yield source.item(1))

    @asynq()
    def root():
        sibling = second.asynq()
        return (yield [first.asynq(sibling), sibling])

    assert root() == [2, 2]


def test_a_child_sees_what_its_parent_waits_for():
    seen = []

    @asynq()
    def child(parent):
        seen.append(parent.is_blocked())
        return 1

    @asynq()
    def root():
        parent = get_active_task()
        return (yield [child.asynq(parent), child.asynq(parent)])

    assert root() == [1, 1]
    assert seen == [True, True]


def test_a_subscriber_of_a_child_that_has_ended_may_call(source):
    called = []

    @asynq()
    def child():
        return 1

    @asynq()
    def root():
        children = [child.asynq(), child.asynq()]
        children[0].on_computed.subscribe(lambda task: called.append(load(source, 5)))
        return (yield children)

    assert root() == [1, 1]
    assert called == [10]


def test_a_child_that_stands_twice_is_started_once(source):
    starts = []

    @asynq()
    def child(waits):
        starts.append(waits)
        if waits:
            yield source.item(1)
        return waits

    @asynq()
    def root():
        ends, waits = child.asynq(False), child.asynq(True)
        return (yield [ends, ends, waits, waits])

    assert root() == [False, False, True, True]
    assert starts == [False, True]


def test_the_first_error_in_the_order_given_is_raised_after_all_have_ended(source):
    ended = []

    @asynq()
    def fails(error):
        raise error

    @asynq()
    def waits():
        yield source.item(1)
        ended.append("waits")

    @asynq()
    def root():
        yield [waits.asynq(), fails.asynq(KeyError(1)), fails.asynq(ValueError(2))]

    with pytest.raises(KeyError):
        root()
    assert ended == ["waits"]


def test_an_interrupt_in_the_cleanup_of_a_child_ends_the_call():
    @asynq()
    def child():
        return 1

    def interrupt(task):
        raise KeyboardInterrupt

    @asynq()
    def root():
        children = [child.asynq(), child.asynq()]
        children[0].on_computed.subscribe(interrupt)
        return (yield children)

    with pytest.raises(KeyboardInterrupt):
        root()
    assert child() == 1


def test_an_endless_recursion_of_tasks_is_an_error(monkeypatch):
    monkeypatch.setattr(debug.options, "MAX_TASK_STACK_SIZE", 100)

    @asynq()
    def endless():
        yield endless.asynq()

    with pytest.raises(RuntimeError, match="maximum threshold"):
        endless()
