"""Tasks of global functions with plain arguments, which the garbage collector does not track.

It must track and find them as soon as they can be part of a cycle.
"""

import gc
import sysconfig
import weakref

import pytest

from asynq import asynq, get_active_task

# Many tests drop or return tasks that nobody has asked for.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.* was never yielded or awaited"),
    pytest.mark.filterwarnings("ignore:.* returned a (list with a )?pending AsyncTask"),
]


@asynq()
def give(key):
    return key


@asynq()
def give_later(key):
    yield None
    return key


@asynq()
def give_object(key):
    yield None
    return HELD.pop(key)


@asynq()
def fail(key):
    yield None
    raise HELD.pop(key)


@asynq()
def give_itself(key):
    yield None
    return [get_active_task()]


HELD = {}


class Node:
    """An object that can be part of a cycle."""


class Failure(Exception):
    pass


@pytest.fixture
def dies(no_garbage_yet):
    """Returns whether the garbage collector finds an object that is only held by a cycle."""

    def dies(reference):
        assert reference() is not None
        gc.collect()
        return reference() is None

    return dies


class InsideACall:
    """Makes tasks of a function while another task runs: outside of any call none is a leaf."""

    def __init__(self, function):
        self._function = function

    def asynq(self, *args, **kwargs):
        made = []

        @asynq()
        def make():
            made.append(self._function.asynq(*args, **kwargs))

        make()
        return made.pop()


@pytest.fixture(params=[give, give_later], ids=["plain", "generator"])
def function(request):
    return InsideACall(request.param)


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED"), reason="free-threaded: every object is tracked"
)
def test_it_is_passed_over(function):
    task = function.asynq(1)
    assert not gc.is_tracked(task)
    task.value()
    assert not gc.is_tracked(task)


def test_one_of_a_local_function_is_not(no_garbage_yet):
    @asynq()
    def local(key):
        return key

    assert gc.is_tracked(InsideACall(local).asynq(1))


def test_one_with_an_argument_that_refers_to_others_is_not():
    assert gc.is_tracked(InsideACall(give).asynq([]))


def test_one_with_keyword_arguments_is_not():
    assert gc.is_tracked(InsideACall(give).asynq(key=1))


def test_a_cycle_through_its_value_is_found(dies):
    HELD[1] = node = Node()
    node.task = InsideACall(give_object).asynq(1)
    node.task.value()
    reference = weakref.ref(node)
    del node
    assert dies(reference)


def test_a_cycle_through_its_error_is_found(dies):
    HELD[2] = error = Failure()
    error.task = InsideACall(fail).asynq(2)
    error.task.error()
    reference = weakref.ref(error.task)
    del error
    assert dies(reference)


def test_a_cycle_through_a_value_that_it_made_itself_is_found(dies):
    task = InsideACall(give_itself).asynq(3)
    task.value()
    reference = weakref.ref(task)
    del task
    assert dies(reference)


def test_a_cycle_through_a_subscriber_is_found(dies, function):
    task = function.asynq(4)
    node = Node()
    node.task = task
    task.on_computed.subscribe(node.__init__)
    reference = weakref.ref(node)
    del task, node
    assert dies(reference)


@pytest.mark.parametrize("attribute", ["fn", "perf_stats", "_name"])
def test_a_cycle_through_an_attribute_that_was_set_is_found(dies, function, attribute):
    task = function.asynq(5)
    node = Node()
    node.task = task
    setattr(task, attribute, node)
    reference = weakref.ref(node)
    del task, node
    assert dies(reference)


def test_a_cycle_through_its_keyword_arguments_is_found(dies, function):
    task = function.asynq(6)
    node = Node()
    node.task = task
    task.kwargs["node"] = node
    reference = weakref.ref(node)
    del task, node
    assert dies(reference)


def test_a_cycle_through_a_creator_that_was_set_is_found(dies, function):
    task = function.asynq(7)
    other = give.asynq([task])
    task.creator = other
    reference = weakref.ref(other)
    del task, other
    assert dies(reference)


def test_a_cycle_through_its_creator_is_none(no_garbage_yet):
    @asynq()
    def make():
        return [give.asynq(8), give_later.asynq(9)]

    task = make.asynq()
    task.value()
    reference = weakref.ref(task)
    del task
    assert reference() is None


def test_one_that_never_ran_can_be_dropped(function):
    reference = weakref.ref(function.asynq(10))
    assert reference() is None


def test_its_creator_is_there_as_long_as_somebody_else_needs_it():
    @asynq()
    def make():
        made.append(give.asynq(11))
        yield None

    made = []
    task = make.asynq()
    task.value()
    assert made[0].creator is task
    del task
    assert made[0].creator is None


def test_a_value_given_from_outside_counts_as_well(dies, function):
    task = function.asynq(12)
    node = Node()
    node.task = task
    task.set_value(node)
    reference = weakref.ref(node)
    del task, node
    assert dies(reference)


def test_one_made_outside_of_any_call_is_not():
    assert gc.is_tracked(give.asynq(13))


def test_one_that_has_ended_knows_its_function(function):
    task = function.asynq(14)
    task.value()
    assert task.fn is function._function.fn
    assert "give" in str(task)


def test_one_that_has_ended_forgets_a_function_that_nobody_else_has():
    namespace = {"__name__": "module"}
    exec(MODULE, namespace)
    task = namespace["inside"]()
    task.value()
    del namespace["f"], namespace["inside"]
    assert task.fn is None
    assert task.value() == 1


MODULE = """
from asynq import asynq
class Marker: pass
marker = Marker()
@asynq()
def f(n): return n
@asynq()
def inside(): return f.asynq(1)
"""


@pytest.mark.parametrize(
    "code",
    ["task = f.asynq(1)", "task = f.asynq(1); task.value()", "task = inside(); task.value()"],
    ids=["not run", "run", "made in a call"],
)
def test_a_module_that_keeps_one_can_be_collected(dies, code):
    namespace = {"__name__": "module"}
    exec(MODULE + code, namespace)
    reference = weakref.ref(namespace["marker"])
    del namespace
    assert dies(reference)
