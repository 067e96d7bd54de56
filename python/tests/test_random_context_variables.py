"""Random programs that set context variables see what a naive model says."""

import asyncio
import contextvars

from hypothesis import given, settings
from hypothesis import strategies as st

import asynq
from asynq import AsyncScopedValue
from asynq.batching import DebugBatchItem

variable = contextvars.ContextVar("variable", default=0)
scoped = AsyncScopedValue(0)

# A function is a list of statements.
statements = st.recursive(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(1, 9)),
            st.just(("read",)),
            st.just(("wait",)),
        ),
        max_size=4,
    ),
    lambda functions: st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(1, 9)),
            st.just(("read",)),
            st.just(("wait",)),
            st.tuples(st.just("await"), st.lists(functions, min_size=1, max_size=3)),
            st.tuples(st.just("make, set and await"), functions, st.integers(1, 9)),
            st.tuples(st.just("call"), functions),
            st.tuples(st.just("override"), st.integers(1, 9), functions),
        ),
        max_size=5,
    ),
    max_leaves=12,
)


@asynq.asynq()
def run(function):
    """Runs a program. Returns what it has read."""
    seen = []
    for kind, *arguments in function:
        if kind == "set":
            variable.set(arguments[0])
        elif kind == "read":
            seen.append((variable.get(), scoped.get()))
        elif kind == "wait":
            yield DebugBatchItem()
        elif kind == "await":
            seen += yield [run.asynq(inner) for inner in arguments[0]]
        elif kind == "make, set and await":
            task = run.asynq(arguments[0])
            variable.set(arguments[1])
            seen.append((yield task))
        elif kind == "call":
            seen.append(run(arguments[0]))
        else:
            with scoped.override(arguments[0]):
                seen.append((yield run.asynq(arguments[1])))
    seen.append((variable.get(), scoped.get()))
    return seen


def model(function, variables, value):
    """Says what `run` returns. `variables` are those of the task, a list of one number."""
    seen = []
    for kind, *arguments in function:
        if kind == "set":
            variables[0] = arguments[0]
        elif kind == "read":
            seen.append((variables[0], value))
        elif kind == "await":
            seen += [model(inner, list(variables), value) for inner in arguments[0]]
        elif kind == "make, set and await":
            made = list(variables)
            variables[0] = arguments[1]
            seen.append(model(arguments[0], made, value))
        elif kind == "call":
            seen.append(model(arguments[0], variables, value))
        elif kind == "override":
            seen.append(model(arguments[1], list(variables), arguments[0]))
    seen.append((variables[0], value))
    return seen


def without_calls(function):
    """Returns the program with awaits in place of synchronous calls."""
    changed = []
    for kind, *arguments in function:
        if kind == "call":
            changed.append(("await", [without_calls(arguments[0])]))
        elif kind == "await":
            changed.append((kind, [without_calls(inner) for inner in arguments[0]]))
        elif kind == "make, set and await":
            changed.append((kind, without_calls(arguments[0]), arguments[1]))
        elif kind == "override":
            changed.append((kind, arguments[0], without_calls(arguments[1])))
        else:
            changed.append((kind, *arguments))
    return changed


@settings(max_examples=100, deadline=None)
@given(statements)
def test_on_a_thread(function):
    variables = [0]
    expected = model(function, variables, 0)

    def main():
        return run(function), variable.get()

    assert contextvars.copy_context().run(main) == (expected, variables[0])


@settings(max_examples=50, deadline=None)
@given(statements)
def test_on_an_event_loop(function):
    function = without_calls(function)

    async def request(number):
        variable.set(number)
        return await run.asyncio(function), variable.get()

    async def main():
        return await asyncio.gather(request(10), request(20))

    expected = [(model(function, [number], 0), number) for number in (10, 20)]
    assert asyncio.run(main()) == expected
