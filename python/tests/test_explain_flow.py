"""Flows: which statements need the value of which await, as the code says."""

import ast
import linecache
import textwrap

import pytest

from asynq._explain.flow import flows


def needs(body, head="async def f(self, id, ids, cache, a=None, b=None):"):
    """Returns what each awaiting statement of a function needs, by line of `body`, from 1."""
    source = f"{head}\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
    ast.parse(source)
    file = f"<flow {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    found = flows({file: {1: False}})
    return {line - 1: [need - 1 for need in needs] for _, line, _, needs, _, _ in found}


def loops(body, head="async def f(self, id, ids, cache):"):
    """Returns the loop of each awaiting statement, and whether it is carried."""
    source = f"{head}\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
    file = f"<flow {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    found = flows({file: {1: False}})
    return {line - 1: (loop and loop - 1, carried) for _, line, _, _, loop, carried in found}


def test_awaits_of_the_same_value_need_nothing_of_each_other():
    assert needs("x = await a(id)\ny = await b(id)\nreturn x, y") == {1: [], 2: []}


def test_generators_are_read_as_coroutines_are():
    assert needs("x = yield a(id)\ny = yield b(x)", "def f(id, a, b):") == {1: [], 2: [1]}


def test_an_await_needs_the_value_that_it_is_given():
    assert needs("x = await a(id)\ny = await b(x)") == {1: [], 2: [1]}


@pytest.mark.parametrize(
    "middle",
    [
        "y = x.name",
        "y, z = x",
        "y: int = x",
        "y = 0\ny += x",
        "y = [one.id for one in x]",
        "y = []\ny.append(x)",
        "y = {}\ny[id] = x",
        "self.x = x\ny = self",
        "y = lambda: x",
        "def y(): return x",
        "if (y := x): pass",
        "if x: y = 1",
        "for y in x: pass",
        "with x as y: pass",
        "try: y = x\nfinally: pass",
        "y = 1\nfill(y, x)",
    ],
)
def test_a_value_is_followed(middle):
    lines = middle.count("\n") + 1
    found = needs(f"x = await a(id)\n{middle}\nz = await b(y)")
    assert found[2 + lines] == [1]


@pytest.mark.parametrize(
    "middle",
    [
        "if not x: return None",
        "if not x: raise KeyError(id)",
        "assert x",
        "if x:\n    pass\nelse:\n    return",
    ],
)
def test_what_decides_whether_a_statement_runs_is_needed(middle):
    lines = middle.count("\n") + 1
    assert needs(f"x = await a(id)\n{middle}\ny = await b(id)")[2 + lines] == [1]


def test_a_branch_needs_its_condition():
    assert needs("x = await a(id)\nif x:\n    y = await b(id)") == {1: [], 3: [1]}


def test_what_follows_a_branch_that_goes_on_does_not_need_its_condition():
    assert needs("x = await a(id)\nif x:\n    y = 1\nz = await b(id)") == {1: [], 4: []}


def test_an_await_for_its_effects_is_needed_by_all_that_follows():
    assert needs("await a(id)\nx = await b(id)\ny = await b(id)") == {1: [], 2: [1], 3: [1]}


def test_a_handler_needs_what_may_have_failed():
    found = needs("try:\n    x = await a(id)\nexcept KeyError:\n    x = await b(id)")
    assert found == {2: [], 4: [2]}


def test_an_inner_await_is_needed_by_the_one_around_it():
    assert needs("x = await b(await a(id))") == {1: [1]}


def test_two_awaits_of_one_statement_need_nothing_of_each_other():
    assert needs("x = (await a(id)) + (await b(id))") == {1: []}


def test_a_variable_that_is_bound_anew_is_no_longer_the_value():
    assert needs("x = await a(id)\nx = id\ny = await b(x)") == {1: [], 3: []}


def test_variables_of_a_comprehension_are_its_own():
    assert needs("x = await a(id)\ny = await b([x for x in ids])") == {1: [], 2: []}


def test_the_statement_around_an_await_goes_over_all_its_lines():
    source = "x = await a(\n    id,\n)\ny = await b(x)"
    assert needs(source) == {1: [], 4: [1]}


def test_a_statement_with_a_recorded_call_counts_as_an_await():
    source = "def f(a, b, id):\n    x = a(id)\n    y = b(x)\n    z = b(id)\n"
    linecache.cache["<calls>"] = (len(source), None, source.splitlines(True), "<calls>")
    found = flows({"<calls>": {2: True, 3: True, 4: True}})
    assert [(line, needs) for _, line, _, needs, _, _ in found] == [(2, []), (3, [2]), (4, [])]


def test_a_file_that_cannot_be_read_has_no_flows():
    assert list(flows({"<nowhere>": {1: False}})) == []


def test_an_await_in_a_loop_is_not_carried_if_its_turns_are_independent():
    assert loops("y = []\nfor id in ids:\n    y.append(await a(id))") == {3: (2, False)}


def test_turns_that_need_several_awaits_of_their_own_are_independent():
    body = "for id in ids:\n    x = await a(id)\n    y = await b(x)"
    assert loops(body) == {2: (1, False), 3: (1, False)}


@pytest.mark.parametrize(
    "body",
    [
        "while id:\n    id = await a(id)",
        "for one in ids:\n    id = await a(id)",
        "for id in ids:\n    x = await a(id)\n    if x: break",
        "for id in ids:\n    x = await a(id)\n    if x: return x",
        "while True:\n    page = await a(id)\n    id = page.next",
        "while cache:\n    cache.extend(await a(cache.pop()))",
    ],
)
def test_a_loop_whose_turns_need_those_before_is_carried(body):
    assert [carried for _, carried in loops(body).values()] == [True]


def test_an_inner_loop_is_not_carried_by_the_outer_one():
    body = "while id:\n    id, rest = await a(id)\n    for one in rest:\n        await b(one)"
    assert loops(body)[2] == (1, True)
    body = "while id:\n    id, rest = await a(id)\n    for one in rest:\n        x = await b(one)"
    assert loops(body) == {2: (1, True), 4: (3, False)}


def test_a_comprehension_that_awaits_is_a_loop():
    assert loops("x = [await a(id) for id in ids]") == {1: (1, False)}


def test_an_async_for_needs_its_turns_before():
    assert loops("async for x in a(id):\n    y = await b(x)") == {1: (1, True), 2: (1, False)}
