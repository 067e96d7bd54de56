"""Contexts during a flush that the scheduler did not choose: `batch.flush()`, `item.value()`."""

import pytest

from asynq import NonAsyncContext, asynq

out_of_turn = pytest.mark.parametrize(
    "flush", [lambda item: item.batch.flush(), lambda item: item.value()], ids=["flush", "value"]
)


@pytest.fixture
def logging_source(new_source, log):
    source = new_source("source")

    def answer(item):
        log.append(item.key)
        item.set_value(2 * item.key)

    source.answer = answer
    return source


@asynq()
def waits(context, name, item):
    with context(name):
        return (yield item)


@asynq()
def flushes(context, name, item, flush):
    with context(name):
        flush(item)
        return (yield item)


@out_of_turn
def test_the_contexts_of_the_caller_are_active_if_nobody_else_waits(
    flush, context, log, logging_source
):
    assert flushes(context, "a", logging_source.item(1), flush) == 2
    assert log == ["+a", ("source", [1]), 1, "-a"]


@out_of_turn
def test_no_context_is_active_that_is_not_common_to_all_who_wait(
    flush, context, log, logging_source
):
    first, second = logging_source.item(1), logging_source.item(2)

    @asynq()
    def main():
        with context("both"):
            return (
                yield (
                    waits.asynq(context, "a", first),
                    flushes.asynq(context, "b", second, flush),
                )
            )

    assert main() == (2, 4)
    flushed = log.index(("source", [1, 2]))
    assert log[:flushed] == ["+both", "+a", "-a", "+b", "-b"]
    assert log[flushed + 1 : flushed + 4] == [1, 2, "+b"]
    assert log[-1] == "-both"


@out_of_turn
def test_an_error_in_a_flush_leaves_contexts_paired(flush, context, log, new_source):
    source = new_source("source")
    source.answer = lambda item: 1 / 0

    @asynq()
    def caught(task):
        try:
            yield task
        except ZeroDivisionError:
            return "caught"

    @asynq()
    def main():
        first, second = source.item(1), source.item(2)
        return (
            yield (
                caught.asynq(waits.asynq(context, "a", first)),
                caught.asynq(flushes.asynq(context, "b", second, flush)),
            )
        )

    assert main() == ("caught", "caught")
    for name in "ab":
        switches = [entry for entry in log if entry in (f"+{name}", f"-{name}")]
        assert switches == [f"+{name}", f"-{name}"] * (len(switches) // 2)


def test_a_flush_may_be_asked_for_in_a_block_that_must_not_wait(context, logging_source):
    first, second = logging_source.item(1), logging_source.item(2)

    @asynq()
    def flushes_in_block():
        with NonAsyncContext():
            second.batch.flush()
            return second.value()

    @asynq()
    def main():
        return (yield waits.asynq(context, "a", first), flushes_in_block.asynq())

    assert main() == (2, 4)


def test_a_failing_pause_fails_the_task_that_flushes(context, logging_source):
    class Failing(type(context("failing"))):
        def pause(self):
            raise ValueError(self.name)

    first, second = logging_source.item(1), logging_source.item(2)

    @asynq()
    def main():
        with pytest.raises(ValueError, match="b"):
            yield (
                waits.asynq(context, "a", first),
                flushes.asynq(lambda name: Failing(name, []), "b", second, lambda i: i.value()),
            )
        return (yield first)

    assert main() == 2
