"""Random programs (see `programs`) on this package and on the reference, which have to agree.

They need not agree where the contract of the scheduler says something else than the reference does,
or more, so this is left out:

- batches of equal priority, of which the reference flushes any;
- the order in which tasks go on after a flush, and in which values of a dict start;
- flushes in synchronous calls: there the reference flushes batches that the call does not need, and
  while tasks that it needs could run;
- contexts of a task that several await: in the reference they depend on who was looked at last.
"""

import json

from hypothesis import HealthCheck, given, settings

from differential import interpreter
from differential.programs import programs

# The same programs each time; others with `derandomize=False`.
some = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


CALLS = ("call", "get")


def ours(program):
    return json.loads(json.dumps(interpreter.run(program)))


@some
@given(program=programs())
def test_values_and_errors(reference, program):
    assert ours(program)["outcome"] == reference.run(program)["outcome"]


@some
@given(program=programs(without=CALLS))
def test_flushes(reference, program):
    assert ours(program)["flushes"] == reference.run(program)["flushes"]


@some
@given(program=programs(without=CALLS, priorities=True))
def test_flushes_of_sources_with_priorities(reference, program):
    assert ours(program)["flushes"] == reference.run(program)["flushes"]


@some
@given(program=programs(without=("made", "dict")))
def test_active_contexts(reference, program):
    assert ours(program)["steps"] == reference.run(program)["steps"]


@some
@given(program=programs())
def test_what_runs_and_what_is_asked_for_with_synchronous_calls(reference, program):
    mine, theirs = ours(program), reference.run(program)
    assert sorted(mine["steps"]) == sorted(theirs["steps"])
    assert sorted(mine["made"]) == sorted(theirs["made"])
