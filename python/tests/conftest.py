"""Fixtures of many tests: batch sources and contexts that log their events."""

import gc
import signal

import pytest
from servers import NotInstalled
from witnesses import Witnesses

from asynq import (
    AsyncContext,
    BatchBase,
    BatchItemBase,
    debug,
    get_active_task,
    get_scheduler,
    profiler,
)
from asynq.loaders import settings

# Background jobs of a non-interactive shell ignore SIGINT, and so would the programs that tests
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure():
    # Imported here, since tests that run in a new process would wait for it.
    from hypothesis import HealthCheck, settings

    # No deadlines, because tests share their cores.
    too_slow = [HealthCheck.too_slow]
    settings.register_profile("untimed", deadline=None, suppress_health_check=too_slow)
    settings.load_profile("untimed")


# Keys on an event loop wait for each other for a minute, because a busy machine may halt a test for
# longer than the default, and then send a part of a round.
MAX_DELAY = settings._MAX_DELAY
settings._MAX_DELAY = 60.0


@pytest.fixture
def default_max_delay(monkeypatch):
    monkeypatch.setattr(settings, "_MAX_DELAY", MAX_DELAY)


# Files that take longest. They begin first, or one worker would run them while the others are idle.
LONGEST = (
    "test_installation",
    "test_typing",
    "test_interrupts_at_each_line",
    "test_explain_report",
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_collection_finish():
    # Many tests collect garbage, which takes as long as there are objects that it looks at.
    gc.collect()
    gc.freeze()


class Batch(BatchBase):
    def __init__(self, source):
        super().__init__()
        self.source = source

    def _try_switch_active_batch(self):
        if self.source.open is self:
            self.source.open = self.source.new_batch()

    def _flush(self):
        self.source.flush(self.items)


class UrgentBatch(Batch):
    def get_priority(self):
        return self.source.priority


class Item(BatchItemBase):
    def __init__(self, batch, key):
        super().__init__(batch)
        self.key = key

    def __repr__(self):
        return f"Item({self.key!r})"


class Source:
    """A source that answers each key with its double.

    `flushed` is a list of the keys of each flush. `log`, which several sources can share, gets
    `(name, keys)`. `answer(item)`, if given, is called instead of `item.set_value(2 * item.key)`.
    `priority`, if given, replaces the default priority of the batches.
    """

    def __init__(self, name="source", log=None, answer=None, priority=None):
        self.name = name
        self.log = [] if log is None else log
        self.flushed = []
        self.answer = answer
        self.priority = priority
        self.open = self.new_batch()

    def new_batch(self):
        return Batch(self) if self.priority is None else UrgentBatch(self)

    def item(self, key):
        return Item(self.open, key)

    def flush(self, items):
        self.flushed.append([item.key for item in items])
        self.log.append((self.name, self.flushed[-1]))
        for item in items:
            if self.answer is None:
                item.set_value(2 * item.key)
            else:
                self.answer(item)


class Logged(AsyncContext):
    """A context that logs `+name` on resume and `-name` on pause."""

    def __init__(self, name, log):
        super().__init__()
        self.name = name
        self.log = log

    def resume(self):
        self.log.append(f"+{self.name}")

    def pause(self):
        self.log.append(f"-{self.name}")


def leftovers():
    """Returns the contents of the scheduler of this thread, which is empty between calls."""
    scheduler = get_scheduler()
    active = [] if get_active_task() is None else [get_active_task()]
    return [*active, *scheduler._tasks, *scheduler._batches]


@pytest.hookimpl(wrapper=True)
def _skipped_without_its_server():
    try:
        return (yield)
    except NotInstalled as error:
        pytest.skip(str(error))


pytest_fixture_setup = pytest_pyfunc_call = _skipped_without_its_server


@pytest.fixture(autouse=True)
def _a_test_leaves_nothing_in_the_scheduler():
    before = leftovers()
    yield
    # Compared with the state before, so that only the test that leaves something fails.
    assert leftovers() == before


OPTIONS = [name for name in dir(debug.options) if name.isupper() and name != "DUMP_ALL"]


@pytest.fixture(autouse=True)
def _a_test_sees_no_options_and_rows_of_other_tests():
    before = {name: getattr(debug.options, name) for name in OPTIONS}
    profiler.reset()
    yield
    for name, value in before.items():
        setattr(debug.options, name, value)


@pytest.fixture
def log():
    return []


@pytest.fixture
def source(log):
    """A `Source` that writes into `log`."""
    return Source(log=log)


@pytest.fixture
def new_source(log):
    """Creates a `Source` with a given name that writes into `log`."""

    def make(name, **options):
        return Source(name, log, **options)

    return make


@pytest.fixture
def context(log):
    """Creates a `Logged` context with a given name that writes into `log`."""

    def enter(name):
        return Logged(name, log)

    return enter


@pytest.fixture
def no_garbage_yet():
    """Collects the garbage of earlier tests, and switches the collector off."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def witnesses(no_garbage_yet):
    """Creates witnesses, with the garbage collector off unless the test runs it."""
    return Witnesses()


@pytest.fixture
def flushes():
    """Returns the sizes of the batches that are flushed during the test."""
    sizes = []

    def count(batch):
        sizes.append(len(batch.items))

    get_scheduler().on_before_batch_flush.subscribe(count)
    yield sizes
    get_scheduler().on_before_batch_flush.unsubscribe(count)
