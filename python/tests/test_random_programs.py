"""Random programs (see differential/) agree with a naive model and with general properties."""

from differential import interpreter
from differential.model import Model
from differential.programs import programs
from hypothesis import HealthCheck, given, settings

# The same programs each time; others with `derandomize=False`.
some = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@some
@given(programs())
def test_a_program_comes_to_what_plain_recursion_comes_to(program):
    assert interpreter.run(program)["outcome"] == Model(program).outcome()


@some
@given(programs())
def test_each_item_is_flushed_once(program):
    report = interpreter.run(program)
    flushed = [name for _, names, _, _ in report["flushes"] for name in names]
    assert sorted(flushed) == sorted(report["made"])


@some
@given(programs())
def test_nothing_is_flushed_while_something_can_run(program):
    assert interpreter.run(program)["complaints"] == []


@some
@given(programs())
def test_a_step_runs_under_the_contexts_of_its_task_and_of_those_who_await_it(program):
    model = Model(program)
    model.outcome()
    steps = interpreter.run(program)["steps"]
    assert {name: contexts for name, contexts in steps.items() if name in model.steps} == (
        model.steps
    )


@some
@given(programs())
def test_a_program_runs_in_the_same_way_each_time(program):
    assert interpreter.run(program) == interpreter.run(program)
