"""The pauses and resumes of contexts."""

import pytest

from asynq import AsyncContext, asynq, get_active_task


class Active(AsyncContext):
    """A context that has its name in `active` exactly while it is active."""

    def __init__(self, name, active):
        super().__init__()
        self.name = name
        self.active = active

    def resume(self):
        assert self.name not in self.active
        self.active.append(self.name)

    def pause(self):
        assert self.active.pop() == self.name


# Outside of tasks.


def test_outside_of_tasks_a_context_is_an_ordinary_one(context, log):
    with context("c"):
        log.append("inside")
    assert log == ["+c", "inside", "-c"]


def test_entering_gives_the_context(context):
    c = context("c")
    with c as entered:
        assert entered is c


def test_outside_of_tasks_a_context_stays_active_in_calls(context, log, source):
    @asynq()
    def main():
        yield source.item(1)

    with context("c"):
        main()
    assert log == ["+c", ("source", [1]), "-c"]


def test_a_context_can_be_entered_again(context, log):
    c = context("c")
    with c:
        pass
    with c:
        pass
    assert log == ["+c", "-c", "+c", "-c"]


# Pauses and resumes.


def test_a_context_is_paused_while_its_task_waits_for_a_flush(context, log, source):
    @asynq()
    def main():
        with context("c"):
            log.append("before")
            yield source.item(1)
            log.append("after")

    main()
    assert log == ["+c", "before", "-c", ("source", [1]), "+c", "after", "-c"]


def test_a_context_is_not_paused_when_nobody_else_runs(context, log):
    @asynq()
    def main():
        with context("c"):
            yield None
            yield [None, ()]
            log.append("inside")

    main()
    assert log == ["+c", "inside", "-c"]


def test_a_context_is_active_in_what_its_task_awaits(context, log):
    @asynq()
    def child():
        log.append("child")
        yield None

    @asynq()
    def main():
        with context("c"):
            yield child.asynq()

    main()
    assert log == ["+c", "child", "-c"]


def test_a_context_is_active_in_what_its_task_calls(context, log):
    @asynq()
    def child():
        log.append("child")
        yield None

    @asynq()
    def main():
        with context("c"):
            child()
        yield None

    main()
    assert log == ["+c", "child", "-c"]


def test_a_context_is_not_active_in_a_sibling(context, log, source):
    @asynq()
    def inside():
        with context("c"):
            yield source.item(1)

    @asynq()
    def sibling():
        log.append("sibling")
        yield source.item(2)

    @asynq()
    def main():
        yield inside.asynq(), sibling.asynq()

    main()
    assert log == ["+c", "-c", "sibling", ("source", [1, 2]), "+c", "-c"]


def test_siblings_take_turns_with_their_contexts(context, log, source):
    @asynq()
    def child(name):
        with context(name):
            log.append(f"{name}1")
            yield source.item(name)
            log.append(f"{name}2")

    @asynq()
    def main():
        yield child.asynq("a"), child.asynq("b")

    main()
    assert log == [
        *("+a", "a1", "-a", "+b", "b1", "-b"),
        ("source", ["a", "b"]),
        *("+a", "a2", "-a", "+b", "b2", "-b"),
    ]


def test_the_innermost_is_paused_first_and_resumed_last(context, log, source):
    @asynq()
    def main():
        with context("a"), context("b"), context("c"):
            yield source.item(1)
            log.append("inside")

    main()
    assert log == [
        *("+a", "+b", "+c", "-c", "-b", "-a"),
        ("source", [1]),
        *("+a", "+b", "+c", "inside", "-c", "-b", "-a"),
    ]


def test_contexts_of_a_chain_of_tasks_nest(context, log, source):
    @asynq()
    def inner():
        with context("inner"):
            yield source.item(1)
            log.append("inside")

    @asynq()
    def outer():
        with context("outer"):
            yield inner.asynq()

    outer()
    assert log == [
        *("+outer", "+inner", "-inner", "-outer"),
        ("source", [1]),
        *("+outer", "+inner", "inside", "-inner", "-outer"),
    ]


def test_each_pause_has_one_resume(context, log, new_source):
    sources = [new_source("x", priority=2), new_source("y", priority=1)]

    @asynq()
    def child(n):
        with context(str(n)):
            for step in range(3):
                yield sources[(n + step) % 2].item(n)

    @asynq()
    def main():
        with context("main"):
            yield [child.asynq(n) for n in range(4)]

    main()
    for name in ["main", "0", "1", "2", "3"]:
        changes = [entry[0] for entry in log if entry in (f"+{name}", f"-{name}")]
        assert changes == ["+", "-"] * (len(changes) // 2)


def test_a_context_entered_after_a_wait_works_as_any(context, log, source):
    @asynq()
    def main():
        yield source.item(1)
        with context("c"):
            yield source.item(2)
        yield source.item(3)

    main()
    assert log == [("source", [1]), *("+c", "-c"), ("source", [2]), *("+c", "-c"), ("source", [3])]


def test_a_shared_task_runs_under_the_contexts_of_who_asks_first(source):
    active, seen = [], []

    @asynq()
    def shared():
        seen.append(list(active))
        yield source.item(1)
        seen.append(list(active))

    @asynq()
    def wait_for(task, name):
        with Active(name, active):
            yield task

    @asynq()
    def main():
        task = shared.asynq()
        yield wait_for.asynq(task, "first"), wait_for.asynq(task, "second")

    main()
    assert seen == [["first"], ["first"]]


def test_a_task_made_in_a_context_and_awaited_outside_is_not_under_it(source):
    active, seen = [], []

    @asynq()
    def child():
        seen.append(list(active))
        yield source.item(1)

    @asynq()
    def main():
        with Active("c", active):
            task = child.asynq()
        yield task

    main()
    assert seen == [[]]


def test_contexts_may_be_left_in_another_order_than_entered(context, log, source):
    @asynq()
    def main():
        a, b = context("a"), context("b")
        a.__enter__()
        b.__enter__()
        a.__exit__(None, None, None)
        yield source.item(1)
        b.__exit__(None, None, None)

    main()
    assert log == ["+a", "+b", "-a", "-b", ("source", [1]), "+b", "-b"]


def test_a_context_is_left_when_its_block_fails(context, log, source):
    @asynq()
    def main():
        try:
            with context("c"):
                raise KeyError("x")
        except KeyError:
            yield source.item(1)

    main()
    assert log == ["+c", "-c", ("source", [1])]


def test_a_context_is_left_when_the_error_of_a_flush_comes(context, log, new_source):
    def fail(item):
        raise KeyError("x")

    source = new_source("source", answer=fail)

    @asynq()
    def main():
        with context("c"):
            yield source.item(1)

    with pytest.raises(KeyError):
        main()
    assert log == ["+c", "-c", ("source", [1]), "+c", "-c"]


def test_a_task_may_return_inside_a_context(context, log):
    @asynq()
    def main():
        with context("c"):
            yield None
            return 42

    assert main() == 42
    assert log == ["+c", "-c"]


def test_a_deep_chain_of_contexts_is_switched_as_a_whole(source):
    active = []

    @asynq()
    def level(n):
        with Active(n, active):
            if n == 0:
                return (yield source.item(21))
            return (yield level.asynq(n - 1))

    assert level(300) == 42
    assert active == []


# Synchronous calls.


def test_contexts_of_the_caller_stay_active_in_a_call(context, log, source):
    @asynq()
    def child():
        with context("child"):
            yield source.item(1)

    @asynq()
    def main():
        with context("main"):
            child()
            log.append("called")
        yield None

    main()
    assert log == [
        *("+main", "+child", "-child"),
        ("source", [1]),
        *("+child", "-child", "called", "-main"),
    ]


def test_contexts_of_tasks_around_the_caller_stay_active_in_a_call(context, log, source):
    @asynq()
    def child():
        yield source.item(1)

    @asynq()
    def caller():
        child()
        yield None

    @asynq()
    def main():
        with context("main"):
            yield caller.asynq()

    main()
    assert log == ["+main", ("source", [1]), "-main"]


def test_a_sibling_woken_by_a_call_goes_on_after_it_under_its_own_context(source):
    active, seen = [], []

    @asynq()
    def waits():
        with Active("waits", active):
            yield source.item(1)
            seen.append(("waits", list(active)))

    @asynq()
    def look_up():
        with Active("look_up", active):
            yield source.item(2)
            seen.append(("look_up", list(active)))

    @asynq()
    def calls():
        with Active("calls", active):
            look_up()
            seen.append(("calls", list(active)))
            yield None

    @asynq()
    def main():
        with Active("main", active):
            yield waits.asynq(), calls.asynq()

    main()
    assert seen == [
        ("look_up", ["main", "calls", "look_up"]),
        ("calls", ["main", "calls"]),
        ("waits", ["main", "waits"]),
    ]
    assert active == []


# The active contexts of a task.


def test_a_context_knows_the_task_that_has_entered_it(context):
    @asynq()
    def main():
        with context("c") as c:
            inside = c._active_task is get_active_task()
        yield None
        return inside

    assert main() is True
