"""The programs of `examples/explain`: each fault is found at its line, and the advice helps."""

import importlib
import inspect

import pytest

import asynq

# Program, kind of its fault, and text in the line that is to change.
FAULTS = [
    ("loop_of_awaits", "one key a round", "song.asynq(id)"),
    ("synchronous_call", "synchronous call", "artist_name(song_id)}"),
    ("early_await", "early await", "artist.asynq("),
    ("own_cache", "split batch", "cached_artist.asynq("),
    ("duplicate", "duplicate key", "yield song.asynq(song_id))["),
]

PROGRAMS = [name for name, _, _ in FAULTS]


@pytest.fixture(autouse=True)
def _a_program_begins_anew():
    yield
    for name in PROGRAMS:
        for kind in ("faulty", "clean"):
            importlib.reload(importlib.import_module(f"explain.{kind}.{name}"))


def explained(kind, name):
    """Returns a program, its result and its explanation."""
    module = importlib.import_module(f"explain.{kind}.{name}")
    if name == "own_cache":
        module.page(range(3))
    with asynq.explain() as why:
        value = module.page(range(10))
    return module, value, why


@pytest.mark.parametrize(("name", "kind", "text"), FAULTS)
def test_the_first_finding_names_the_line_of_the_fault(name, kind, text):
    module, _, why = explained("faulty", name)
    first = why.findings[0]
    line = inspect.getsource(module).splitlines()[first.line - 1]
    assert (first.file, first.kind) == (module.__file__, kind)
    assert text in line


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_without_the_fault_has_no_finding(name):
    assert explained("clean", name)[2].findings == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_advice_reaches_the_rounds_that_it_promises(name):
    first = explained("faulty", name)[2].findings[0]
    clean = explained("clean", name)[2]
    assert clean.source_rounds[first.source] <= first.source_rounds_after
    assert clean.rounds <= first.rounds_after


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_programs_have_the_same_result(name):
    assert explained("faulty", name)[1] == explained("clean", name)[1]
