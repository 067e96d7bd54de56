"""An exception, as a signal handler raises it, at each line of the package that a call runs.

After each, the loader answers the next call, and no permit, flight or override is left.
"""

import asyncio
import contextlib
import gc
import pathlib
import sys
import threading
import time

import pytest

import asynq
from asynq import AsyncScopedValue, Loader
from asynq.asynq_to_async import NoAsyncioMode
from asynq.loaders import Group, thread_pool
from asynq.stores.key_value import KeyValueStore

# Nobody can close a coroutine if the exception comes just after the function that returns it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _a_test_leaves_no_such_coroutine():
    yield
    gc.collect()


PACKAGE = str(pathlib.Path(asynq.__file__).parent)
SECONDS = 30


class SoftTimeLimitError(Exception):
    pass


class HardTimeLimitError(BaseException):
    pass


class _AtLine:
    """A trace function that calls `action()` at the n-th line of the package."""

    def __init__(self, number, action):
        self.left = number
        self.action = action

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                self.action()
        return self


@contextlib.contextmanager
def at_line(number, action):
    """Calls `action()` at the n-th line of the package in the block. Yields the trace."""
    trace = _AtLine(number, action)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield trace
    finally:
        sys.settrace(before)


def raises(error):
    def action():
        raise error

    return action


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Store(KeyValueStore):
    """A key-value store in memory."""

    def _run(self, operations):
        return dict.fromkeys(operations)


def plain():
    return Loader(list)


def blocking():
    return Loader(list, blocking=True, max_in_flight=2, max_batch_size=2, timeout=SECONDS)


def coroutine():
    async def function(keys):
        await asyncio.sleep(0)
        return keys

    return Loader(function, max_in_flight=2, max_batch_size=2, timeout=SECONDS)


def returning_a_coroutine():
    async def function(keys):
        return keys

    return Loader(lambda keys: function(keys))


def async_function():
    @asynq.asynq()
    def function(keys):
        yield None
        return keys

    return Loader(function, max_batch_size=2, timeout=SECONDS)


def nested():
    inner = blocking()

    @asynq.asynq()
    def function(keys):
        return (yield [inner.asynq(key) for key in keys])

    loader = Loader(function)
    loader.limit = inner.limit  # Checked below.
    return loader


def defaults():
    return Loader(lambda keys: {}, blocking=True, default_factory=lambda: None, name="defaults")


def failing():
    def function(keys):
        raise KeyError

    return Loader(function, blocking=True, max_in_flight=1)


def cached():
    return Loader(list, blocking=True, cache=True, max_in_flight=1)


def hooks():
    return Loader(
        list, blocking=True, before_flush=lambda keys: None, after_flush=lambda flushed: None
    )


def of_a_group():
    return Loader(list, group=Group(max_in_flight=1), max_batch_size=2)


def nested_in_a_group():
    group = Group(max_in_flight=1)
    inner = Loader(list, group=group, max_batch_size=2)

    @asynq.asynq()
    def function(keys):
        return (yield [inner.asynq(key) for key in keys])

    return Loader(function, group=group, timeout=SECONDS)


KINDS = [
    plain,
    blocking,
    coroutine,
    returning_a_coroutine,
    async_function,
    nested,
    defaults,
    failing,
    cached,
    hooks,
    of_a_group,
    nested_in_a_group,
]


@asynq.asynq()
def load_all(loader, keys):
    return (yield [loader.asynq(key) for key in keys])


def answers(loader, keys):
    """Loads the keys; a failed load is None."""
    if loader.name.endswith(("defaults", "failing.<locals>.function")):
        return [] if loader.asynq(keys[0]).error() or True else keys
    return load_all(loader, keys)


def answers_on_event_loop(loader, keys):
    """Loads the keys on a new event loop; the answer of a loader that fails is []."""
    try:
        values = asyncio.run(asyncio.wait_for(load_all.asyncio(loader, keys), SECONDS))
    except asynq.LoadError as error:
        if isinstance(error.__cause__, KeyError):
            return []
        raise
    return values if any(values) else []


synchronous_answers = answers
both_ways = pytest.mark.parametrize("answers", [answers, answers_on_event_loop])


def assert_unharmed(loader, keys, answers=answers):
    expected = answers(loader, keys)
    assert expected in ([], keys)
    for limit in (loader.limit, loader.group_limit):
        if limit is not None:
            wait_until(lambda: limit._free == limit._permits)  # noqa: B023
            assert limit._waiting == 0
            assert not limit._is_giving
    if not isinstance(loader.fn, asynq.decorators.AsyncDecorator):
        assert loader._in_flight() == []  # Else its tasks may have been left behind.
    assert loader._host().open is None
    assert asynq.get_active_task() is None


@both_ways
@pytest.mark.parametrize("error", [SoftTimeLimitError, HardTimeLimitError])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_loader_answers_after_an_exception_at_each_line(kind, error, answers):
    loader = kind()
    answers(loader, [-1, -2, -3])
    number = 0
    while True:
        number += 1
        with at_line(number, raises(error)) as trace, contextlib.suppress(Exception, error):
            answers(loader, [10 * number, 10 * number + 1, 10 * number + 2])
        assert_unharmed(loader, [10 * number, 10 * number + 1, 10 * number + 2], answers)
        if trace.left > 0:
            break
    assert number > 10


# On an event loop, a handler that asks one of these for a future may need the loop for its value.
NEEDS_LOOP = {"defaults", "failing"}
ways_of_handlers = [(kind, answers) for kind in KINDS] + [
    (kind, answers_on_event_loop) for kind in KINDS if kind.__name__ not in NEEDS_LOOP
]


@pytest.mark.parametrize(("kind", "answers"), ways_of_handlers)
def test_a_signal_handler_can_load_at_each_line(kind, answers):
    loader = kind()
    answers(loader, [-1, -2, -3])
    number = 0
    while True:
        number += 1
        keys = [10 * number, 10 * number + 1, 10 * number + 2]
        others = [key + 3 for key in keys]
        seen = []

        def load_others():
            with NoAsyncioMode():
                seen.append(synchronous_answers(loader, others))  # noqa: B023

        with at_line(number, load_others) as trace:
            value = answers(loader, keys)
        assert value in ([], keys)
        assert seen in ([], [[]], [others])
        assert_unharmed(loader, keys, answers)
        if trace.left > 0:
            break
    assert number > 10


@pytest.mark.parametrize("kind", [defaults, failing])
def test_a_signal_handler_on_an_event_loop_gets_the_value_of_a_future_or_a_clear_error(kind):
    loader = kind()
    answers_on_event_loop(loader, [-1, -2, -3])
    number = 0
    while True:
        number += 1
        keys = [10 * number, 10 * number + 1, 10 * number + 2]
        seen = []

        def load_another():
            try:
                with NoAsyncioMode():
                    seen.append(loader.asynq(keys[0] + 3).error())  # noqa: B023
            except RuntimeError as error:
                seen.append(error)  # noqa: B023

        with at_line(number, load_another) as trace:
            assert answers_on_event_loop(loader, keys) in ([], keys)
        for outcome in seen:
            assert outcome is None or isinstance(outcome, asynq.LoadError) or needs_loop(outcome)
        assert_unharmed(loader, keys, answers_on_event_loop)
        if trace.left > 0:
            break
    assert number > 10


def needs_loop(error):
    """Returns whether an error says that the event loop has to run first."""
    return "write `await f.asyncio(...)`" in str(error) or "event loop has to run" in str(error)


@pytest.mark.parametrize("error", [SoftTimeLimitError, HardTimeLimitError])
def test_a_key_value_store_answers_after_an_exception_at_each_line(error):
    store = Store(None)

    @asynq.asynq()
    def script(number):
        key = str(number)
        yield store.set.asynq(key, number, ttl=5), store.get.asynq(key)
        return (yield store.get.asynq(key))

    number = 0
    while True:
        number += 1
        with at_line(number, raises(error)) as trace, contextlib.suppress(Exception, error):
            script(number)
        assert script(number) is None
        assert store.operations._in_flight() == []
        if trace.left > 0:
            break
    assert number > 10


@pytest.mark.parametrize("error", [SoftTimeLimitError, HardTimeLimitError])
def test_an_override_ends_after_an_exception_at_each_line(error):
    value = AsyncScopedValue("a")
    loader = blocking()

    @asynq.asynq()
    def main(key):
        with value.override("b"):
            value.get()
            yield loader.asynq(key)
            value.set("c")
        return value.get()

    number = 0
    while True:
        number += 1
        with at_line(number, raises(error)) as trace, contextlib.suppress(Exception, error):
            main(number)
        assert value.get() == "a"
        assert main(number) == "a"
        if trace.left > 0:
            break
    assert number > 10


def test_the_threads_end_when_they_are_idle(monkeypatch):
    monkeypatch.setattr(thread_pool, "_IDLE_SECONDS", 0.01)
    pool = thread_pool.ThreadPool()
    before = set(threading.enumerate())
    ended = threading.Event()
    pool.submit(ended.set)
    assert ended.wait(SECONDS)
    del pool
    gc.collect()
    wait_until(lambda: set(threading.enumerate()) <= before)
