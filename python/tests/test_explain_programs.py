"""Findings in programs of many forms: methods, comprehensions, helpers, event loops."""

import inspect

import pytest
from explain_programs import clean, faulty

import asynq

IDS = [1, 2, 3, 4, 5, 6]

FAULTY = [
    "method",
    "comprehension",
    "helper",
    "loop_on_event_loop",
    "in_property",
    "in_comprehension",
    "on_event_loop",
    "nested_function",
    "in_object",
    "by_decorator",
    "in_one_task",
    "with_gather",
]
CLEAN = [
    "followed_list",
    "cursors",
    "retries",
    "levels",
    "requests_on_event_loop",
    "checks",
    "calls_from_main",
    "cached_by_loader",
    "stops_early",
]


def explained(program):
    with asynq.explain() as why:
        value = program(IDS)
    return value, why


@pytest.mark.parametrize("name", FAULTY)
def test_the_first_finding_names_the_line_of_the_fault(name):
    _, why = explained(getattr(faulty, name))
    first = why.findings[0]
    line = inspect.getsource(faulty).splitlines()[first.line - 1]
    assert first.file == faulty.__file__
    assert line.rpartition("# ")[2] == first.kind, (line, first)


@pytest.mark.parametrize("name", FAULTY)
def test_the_advice_reaches_the_rounds_that_it_promises(name):
    value, why = explained(getattr(faulty, name))
    advised, advised_why = explained(getattr(faulty, f"{name}_advised"))
    first = why.findings[0]
    assert advised == value
    assert advised_why.rounds == first.rounds_after
    assert advised_why.source_rounds[first.source] <= first.source_rounds_after
    assert advised_why.findings == []


@pytest.mark.parametrize("name", CLEAN)
def test_a_program_without_a_fault_has_no_finding(name):
    _, why = explained(getattr(clean, name))
    assert why.findings == []
