"""Context variables (`contextvars`): each task has its own."""

import contextlib
import contextvars
import gc
import weakref

import pytest

import asynq
from asynq import AsyncContext, AsyncScopedValue, async_generator, list_of_generator
from asynq.batching import DebugBatchItem
from asynq.loaders import Loader

name = contextvars.ContextVar("name", default="nobody")
span = contextvars.ContextVar("span", default=())


def in_a_copy(function, *args):
    """Calls a function so that what it sets does not stay."""
    return contextvars.copy_context().run(function, *args)


@asynq.asynq()
def read():
    return name.get()


@asynq.asynq()
def read_later():
    yield DebugBatchItem()
    return name.get()


@asynq.asynq()
def set_and_wait(value):
    before = name.get()
    name.set(value)
    yield DebugBatchItem()
    return before, name.get()


def test_what_a_task_sets_is_its_own():
    @asynq.asynq()
    def main():
        yields = [set_and_wait.asynq(value) for value in "abc"]
        return (yield yields), (yield read.asynq()), name.get()

    answers = [("nobody", value) for value in "abc"]
    assert in_a_copy(main) == (answers, "nobody", "nobody")


def test_a_task_starts_with_the_variables_of_its_creator():
    @asynq.asynq()
    def main():
        before = read_later.asynq()
        name.set("ann")
        after = read_later.asynq()
        name.set("bob")
        return (yield before, after, read.asynq())

    assert in_a_copy(main) == ("nobody", "ann", "bob")


def test_a_task_starts_with_the_variables_of_its_creator_after_waiting():
    @asynq.asynq()
    def page(value):
        name.set(value)
        yield DebugBatchItem()
        return (yield read.asynq(), read_later.asynq())

    @asynq.asynq()
    def main():
        return (yield page.asynq("ann"), page.asynq("bob"), read_later.asynq())

    assert main() == (("ann", "ann"), ("bob", "bob"), "nobody")


def test_a_task_that_is_made_outside_of_calls_keeps_the_variables_of_that_place():
    def main():
        name.set("ann")
        task = read_later.asynq()
        name.set("bob")
        return task.value(), name.get()

    assert in_a_copy(main) == ("ann", "bob")


def test_what_a_task_sets_is_not_seen_by_whoever_asks_for_its_value():
    def main():
        set_and_wait.asynq("ann").value()
        return name.get()

    assert in_a_copy(main) == "nobody"


@pytest.mark.parametrize("value", ["ann", None])
def test_a_synchronous_call_sets_the_variables_of_its_caller(value):
    @asynq.asynq()
    def plain():
        name.set(value)

    def main():
        plain()
        first = name.get()
        set_and_wait(f"{value} later")
        return first, name.get()

    assert in_a_copy(main) == (value, f"{value} later")


def test_a_synchronous_call_in_a_task_sets_the_variables_of_that_task():
    @asynq.asynq()
    def page(value):
        set_and_wait(value)
        yield DebugBatchItem()
        return name.get()

    @asynq.asynq()
    def main():
        return (yield page.asynq("ann"), page.asynq("bob")), name.get()

    assert in_a_copy(main) == (("ann", "bob"), "nobody")


def test_tasks_of_a_synchronous_call_do_not_set_the_variables_of_its_caller():
    @asynq.asynq()
    def inner():
        name.set("inner")
        return (yield set_and_wait.asynq("child")), name.get()

    @asynq.asynq()
    def main():
        name.set("main")
        return inner(), name.get()

    assert in_a_copy(main) == ((("inner", "child"), "inner"), "inner")


def test_a_call_sets_the_variables_of_its_caller_while_it_is_watched(monkeypatch, capsys):
    monkeypatch.setattr(asynq.debug.options, "DUMP_NEW_TASKS", True)

    def main():
        set_and_wait("ann")
        return name.get()

    assert in_a_copy(main) == "ann"


def test_a_token_can_be_reset_after_waiting():
    @asynq.asynq()
    def page(value):
        token = name.set(value)
        yield DebugBatchItem()
        inside = name.get()
        name.reset(token)
        yield DebugBatchItem()
        return inside, name.get()

    @asynq.asynq()
    def main():
        return (yield page.asynq("ann"), page.asynq("bob"))

    assert main() == (("ann", "nobody"), ("bob", "nobody"))
    assert in_a_copy(page, "eve") == ("eve", "nobody")


@contextlib.contextmanager
def spanning(label, spans):
    """A span as those of tracers: a variable that is reset by its token."""
    token = span.set((*span.get(), label))
    spans.append(span.get())
    try:
        yield
    finally:
        span.reset(token)


def test_spans_nest_as_calls_do():
    spans = []

    @asynq.asynq()
    def query(page, number):
        with spanning(f"query {number}", spans):
            yield DebugBatchItem()

    @asynq.asynq()
    def page(label):
        with spanning(label, spans):
            yield [query.asynq(label, number) for number in (1, 2)]
        return span.get()

    @asynq.asynq()
    def main():
        with spanning("main", spans):
            return (yield page.asynq("a"), page.asynq("b"))

    assert main() == (("main",), ("main",))
    assert sorted(spans) == [
        ("main",),
        *[("main", "a"), ("main", "a", "query 1"), ("main", "a", "query 2")],
        *[("main", "b"), ("main", "b", "query 1"), ("main", "b", "query 2")],
    ]
    assert span.get() == ()


def test_a_context_that_sets_a_variable_by_tokens_can_be_paused():
    class Named(AsyncContext):
        def __init__(self, value):
            self.value = value

        def resume(self):
            self.token = name.set(self.value)

        def pause(self):
            name.reset(self.token)

    @asynq.asynq()
    def page(value):
        with Named(value):
            yield DebugBatchItem()
            inside = name.get(), (yield read_later.asynq())
        return inside, name.get()

    @asynq.asynq()
    def main():
        with Named("main"):
            return (yield page.asynq("ann"), page.asynq("bob"), read_later.asynq())

    assert main() == ((("ann", "ann"), "main"), (("bob", "bob"), "main"), "main")
    assert name.get() == "nobody"


def test_a_context_of_a_caller_can_be_paused_in_its_call():
    class Named(AsyncContext):
        def resume(self):
            self.token = name.set("inside")

        def pause(self):
            name.reset(self.token)

    @asynq.asynq()
    def waits(item):
        yield item
        return name.get()

    @asynq.asynq()
    def calls(task):
        with Named():
            return task.value(), name.get()

    @asynq.asynq()
    def main():
        item = DebugBatchItem()
        task = waits.asynq(item)
        return (yield task, calls.asynq(task))

    assert main() == ("nobody", ("nobody", "inside"))


def test_a_flush_of_a_batch_sees_the_variables_of_the_call():
    seen = []

    class Peeking(DebugBatchItem):
        def __init__(self):
            super().__init__(batch_name="peeking")
            self.batch.on_computed.subscribe(lambda batch: seen.append(name.get()))

    @asynq.asynq()
    def page(value):
        name.set(value)
        yield Peeking()

    @asynq.asynq()
    def main():
        name.set("main")
        yield page.asynq("ann"), page.asynq("bob")

    in_a_copy(main)
    assert set(seen) == {"main"}


def test_what_a_flush_sets_is_not_seen_by_tasks():
    class Setting(DebugBatchItem):
        def __init__(self):
            super().__init__(batch_name="setting")
            self.batch.on_computed.subscribe(lambda batch: name.set("flush"))

    @asynq.asynq()
    def page():
        yield Setting()
        return name.get()

    @asynq.asynq()
    def main():
        return (yield page.asynq(), page.asynq())

    assert in_a_copy(main) == ("nobody", "nobody")


def test_an_async_batch_function_sees_the_variables_of_its_definition_on_a_thread():
    @asynq.asynq()
    def load(keys):
        yield DebugBatchItem()
        return [name.get() for _ in keys]

    def define():
        name.set("definition")
        return Loader(load)

    loader = in_a_copy(define)

    @asynq.asynq()
    def main():
        name.set("caller")
        return (yield loader.asynq(1), loader.asynq(2))

    assert in_a_copy(main) == ("definition", "definition")


def test_a_task_that_is_left_behind_keeps_its_variables():
    @asynq.asynq()
    def fails():
        raise KeyError

    @asynq.asynq()
    def main():
        tasks.append(set_and_wait.asynq("ann"))
        tasks.append(read_later.asynq())
        yield [DebugBatchItem(), *tasks, fails.asynq()]

    def go_on():
        name.set("bob")
        return [task.value() for task in tasks]

    tasks = []
    name_before = name.set("eve")
    with pytest.raises(KeyError):
        main()
    name.reset(name_before)
    assert in_a_copy(go_on) == [("eve", "ann"), "eve"]


def test_an_error_is_raised_where_the_variables_of_the_task_are():
    @asynq.asynq()
    def fails():
        yield DebugBatchItem()
        raise KeyError

    @asynq.asynq()
    def page():
        token = name.set("ann")
        try:
            yield fails.asynq()
        except KeyError:
            name.reset(token)
        return name.get()

    @asynq.asynq()
    def main():
        return (yield page.asynq(), page.asynq())

    assert main() == ("nobody", "nobody")


def test_the_values_of_an_async_generator_see_the_variables_of_their_consumer():
    @async_generator()
    def names():
        yield asynq.Value(name.get())
        yield asynq.Value((yield read_later.asynq()))

    @asynq.asynq()
    def main():
        name.set("ann")
        return (yield list_of_generator.asynq(names()))

    assert in_a_copy(main) == ["ann", "ann"]


class Session:
    pass


def test_the_variables_of_a_task_are_freed_with_it():
    @asynq.asynq()
    def page():
        session = Session()
        sessions.append(weakref.ref(session))
        name.set(session)
        del session
        yield DebugBatchItem()
        yield read_later.asynq()

    @asynq.asynq()
    def main():
        yield page.asynq(), page.asynq()

    sessions = []
    main()
    gc.collect()
    assert [session() for session in sessions] == [None, None]


def test_a_scoped_value_follows_whoever_waits_for_a_task_and_a_variable_does_not():
    scoped = AsyncScopedValue("outside")

    @asynq.asynq()
    def both():
        yield DebugBatchItem()
        return scoped.get(), name.get()

    @asynq.asynq()
    def page(value, task):
        name.set(value)
        with scoped.override(value):
            return (yield task)

    @asynq.asynq()
    def main():
        return (
            yield page.asynq("ann", both.asynq()), page.asynq("bob", both.asynq()), both.asynq()
        )

    assert main() == (("ann", "nobody"), ("bob", "nobody"), ("outside", "nobody"))


def test_a_scoped_value_that_is_set_is_set_for_the_task_alone():
    scoped = AsyncScopedValue("outside")

    @asynq.asynq()
    def page(value):
        scoped.set(value)
        yield DebugBatchItem()
        return scoped.get()

    @asynq.asynq()
    def main():
        return (yield page.asynq("ann"), page.asynq("bob")), scoped.get()

    assert main() == (("ann", "bob"), "outside")


def test_a_task_that_is_ended_from_outside_resets_what_it_has_set():
    spans = []

    @asynq.asynq()
    def waits():
        with spanning("waits", spans):
            yield DebugBatchItem()

    @asynq.asynq()
    def ends(task):
        task.set_value("ended")

    @asynq.asynq()
    def main():
        task = waits.asynq()
        yield task, ends.asynq(task)
        return task.value()

    assert main() == "ended"
    assert spans == [("waits",)]


def count_contexts():
    return sum(type(object) is contextvars.Context for object in gc.get_objects())


def test_tasks_that_set_nothing_copy_no_context():
    def count(batch):
        counts.append(count_contexts())

    @asynq.asynq()
    def waits():
        item = DebugBatchItem(batch_name="counting")
        if not counts:
            counts.append(count_contexts())
            item.batch.on_computed.subscribe(count)
        yield item

    @asynq.asynq()
    def main():
        yield [waits.asynq() for _ in range(100)]

    counts = []
    main()
    assert counts[-1] - counts[0] <= 1
