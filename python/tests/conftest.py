"""What many tests use: a source of batches and a context, both of which write down what happens."""

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings
from servers import NotInstalled

from asynq import AsyncContext, BatchBase, BatchItemBase, get_active_task, get_scheduler

# What runs in the background of a shell that is not interactive ignores it, and so would the
# programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long something takes says nothing, where tests share their cores.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
    """Answers each key with its double.

    `flushed` has the keys of each flush, and `log`, which may be shared, gets `(name, keys)`.
    `answer(item)`, if given, takes the place of `item.set_value(2 * item.key)`, and `priority` that
    of the default priority of its batches.
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
    """A context that logs `+name` when it is resumed and `-name` when it is paused."""

    def __init__(self, name, log):
        super().__init__()
        self.name = name
        self.log = log

    def resume(self):
        self.log.append(f"+{self.name}")

    def pause(self):
        self.log.append(f"-{self.name}")


def leftovers():
    """What is in the scheduler of this thread, where between calls nothing should be."""
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
    # What an earlier test has left there was that one's failure.
    assert leftovers() == before


@pytest.fixture
def log():
    return []


@pytest.fixture
def source(log):
    """A `Source` that writes into `log`."""
    return Source(log=log)


@pytest.fixture
def new_source(log):
    """Makes a `Source` of a given name that writes into `log`."""

    def make(name, **options):
        return Source(name, log, **options)

    return make


@pytest.fixture
def context(log):
    """Makes a `Logged` context of a given name that writes into `log`."""

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
