"""Contexts that fail, and contexts that do not allow their task to wait."""

import pytest

from asynq import AsyncContext, NonAsyncContext, asynq

# Pauses and resumes that fail.


class Fragile(AsyncContext):
    """A context that fails at given pauses and resumes, counted from 1: `Fragile("pause 1")`."""

    def __init__(self, *fail):
        super().__init__()
        self.fail = fail
        self.counts = {"pause": 0, "resume": 0}

    def count(self, what):
        self.counts[what] += 1
        which = f"{what} {self.counts[what]}"
        if which in self.fail:
            raise KeyError(which)

    def pause(self):
        self.count("pause")

    def resume(self):
        self.count("resume")


@asynq()
def wait_in(context, source, log):
    with context:
        yield source.item(1)
        log.append("went on")
    return "fine"


@pytest.mark.parametrize("what", ["pause 1", "resume 2"])
def test_a_failing_switch_fails_the_task_that_owns_the_context(source, log, what):
    with pytest.raises(KeyError, match=what):
        wait_in(Fragile(what), source, log)
    assert "went on" not in log


@pytest.mark.parametrize("what", ["pause 1", "resume 2"])
def test_a_failing_switch_fails_nobody_else(source, log, what):
    @asynq()
    def main():
        task = wait_in.asynq(Fragile(what), source, log)
        sibling = wait_in.asynq(Fragile(), source, log)
        try:
            yield task, sibling
        except KeyError:
            return (yield sibling)

    assert main() == "fine"


def test_a_failing_first_resume_is_an_error_of_the_with_statement(source, log):
    @asynq()
    def main():
        try:
            with Fragile("resume 1"):
                log.append("inside")
        except KeyError:
            log.append("caught")
        yield source.item(1)

    main()
    assert log == ["caught", ("source", [1])]


def test_a_failing_last_pause_is_an_error_of_the_with_statement(source, log):
    @asynq()
    def main():
        try:
            with Fragile("pause 2"):
                yield source.item(1)
        except KeyError:
            log.append("caught")

    main()
    assert log == [("source", [1]), "caught"]


@pytest.mark.parametrize("what", ["pause 1", "resume 2"])
def test_contexts_around_a_failing_one_are_paused_as_often_as_resumed(source, log, what):
    outer, inner = Fragile(), Fragile()

    @asynq()
    def main():
        with outer, Fragile(what), inner:
            yield source.item(1)

    with pytest.raises(KeyError):
        main()
    assert outer.counts["pause"] == outer.counts["resume"]
    assert inner.counts["pause"] == inner.counts["resume"]


def test_after_a_failed_switch_the_scheduler_works(source, log):
    with pytest.raises(KeyError):
        wait_in(Fragile("pause 1"), source, log)
    assert wait_in(Fragile(), source, log) == "fine"


# NonAsyncContext.


class Quick(NonAsyncContext):
    def __str__(self):
        return "quick"


def test_a_task_may_not_wait_in_a_non_async_context(source):
    @asynq()
    def main():
        with Quick():
            yield source.item(1)

    with pytest.raises(AssertionError, match="cannot yield while quick is active"):
        main()


def test_the_error_of_waiting_in_a_non_async_context_names_the_task(source):
    @asynq()
    def hasty():
        with Quick():
            yield source.item(1)

    with pytest.raises(AssertionError, match="hasty"):
        hasty()


def test_a_task_may_do_anything_but_wait_in_a_non_async_context(source):
    @asynq()
    def main():
        with Quick():
            value = source.item(21).value()
        yield None
        return value

    assert main() == 42


def test_a_task_may_wait_after_a_non_async_context(source):
    @asynq()
    def main():
        with Quick():
            pass
        return (yield source.item(21))

    assert main() == 42


def test_outside_of_tasks_a_non_async_context_forbids_nothing(source):
    @asynq()
    def main():
        return (yield source.item(21))

    with Quick():
        assert main() == 42


def test_a_task_may_yield_what_is_there_in_a_non_async_context():
    @asynq()
    def main():
        with Quick():
            yield None
        return 42

    assert main() == 42
