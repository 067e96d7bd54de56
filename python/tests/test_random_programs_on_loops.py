"""Random programs (see differential/) do the same on an event loop as on a thread."""

import asyncio

import pytest
from differential import interpreter
from differential.programs import programs
from hypothesis import HealthCheck, given, settings

from asynq.decorators import asyncio_call

some = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class RunOnLoop(interpreter.Run):
    """One run of a program, whose outermost call is awaited on an event loop."""

    def call(self, body, made, name):
        if name != "0":
            return super().call(body, made, name)
        task = self.task(body, made, name)
        self.calls.append((task, []))
        return asyncio.run(asyncio_call(_PureCall(task)))


class _PureCall:
    """An async function that returns a task."""

    def __init__(self, task):
        self._task = task

    def is_pure_async_fn(self):
        return True

    def __call__(self):
        return self._task


@some
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
@given(programs())
def test_a_program_does_the_same_on_an_event_loop(program):
    assert RunOnLoop(program).report() == interpreter.run(program)


@some
@given(programs(priorities=True))
def test_priorities_count_on_an_event_loop(program):
    assert RunOnLoop(program).report() == interpreter.run(program)
