"""Contexts that user code enters while the scheduler calls it, in a call that a call has made.

The caller then is the innermost task that runs, and the scheduler is between two steps of the call.
"""

import pytest

from asynq import (
    AsyncContext,
    AsyncTask,
    BatchBase,
    BatchItemBase,
    FutureBase,
    asynq,
    get_scheduler,
)


class Plain(AsyncContext):
    def resume(self):
        pass

    def pause(self):
        pass


class Recorder:
    """Enters a context where the test says so, and counts that."""

    def __init__(self, where):
        self.where = where
        self.context = Plain()
        self.entered = 0

    def at(self, where):
        if where == self.where:
            self.context.__enter__()
            self.entered += 1


class Batch(BatchBase):
    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder

    def _try_switch_active_batch(self):
        self.recorder.at("switch")

    def _flush(self):
        self.recorder.at("flush")
        for item in self.items:
            item.set_value("from the batch")

    def get_priority(self):
        self.recorder.at("priority")
        return (0, 1)


class Computed(FutureBase):
    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder

    def _compute(self):
        self.recorder.at("compute")
        self.set_value(1)

    def _computed(self):
        self.recorder.at("computed")
        super()._computed()


class Switched(AsyncContext):
    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder

    def resume(self):
        self.recorder.at("resume")

    def pause(self):
        self.recorder.at("pause")


def call_of_a_call(recorder):
    class Task(AsyncTask):
        def _computed(self):
            recorder.at("task computed")
            super()._computed()

    @asynq(cls=Task)
    def other_task():
        yield

    @asynq()
    def inner():
        with Switched(recorder):
            yield Computed(recorder), other_task.asynq()
            return (yield BatchItemBase(Batch(recorder)))

    @asynq()
    def outer():
        return inner()

    return outer()


PLACES = ["switch", "flush", "priority", "compute", "computed", "task computed", "resume", "pause"]


@pytest.mark.parametrize("where", PLACES)
def test_a_context_is_entered_between_the_steps_of_a_call_of_a_call(where):
    recorder = Recorder(where)
    assert call_of_a_call(recorder) == "from the batch"
    assert recorder.entered > 0


@pytest.mark.parametrize("where", ["before the flush", "after the flush", "subscriber"])
def test_a_hook_enters_a_context_in_a_call_of_a_call(where):
    entered = []

    def enter(*_):
        entered.append(Plain().__enter__())

    scheduler = get_scheduler()
    hooks = {
        "before the flush": scheduler.on_before_batch_flush,
        "after the flush": scheduler.on_after_batch_flush,
    }
    if where in hooks:
        hooks[where].subscribe(enter)

    @asynq()
    def inner():
        item = BatchItemBase(Batch(Recorder("nowhere")))
        if where == "subscriber":
            item.on_computed.subscribe(enter)
        return (yield item)

    @asynq()
    def outer():
        return inner()

    try:
        assert outer() == "from the batch"
    finally:
        if where in hooks:
            hooks[where].unsubscribe(enter)
    assert len(entered) == 1
