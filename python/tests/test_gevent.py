"""gevent with patched blocking calls: whatever waits lets other greenlets run."""

import pytest
from programs import assert_ends_well

HEAD = """
from gevent import monkey; monkey.patch_all()
import asyncio, threading, time
import gevent
import asynq

@asynq.asynq()
def one(load, key):
    first = yield load.asynq(key)
    return first + (yield load.asynq(key + 1))

@asynq.asynq()
def page(load, size):
    return (yield [one.asynq(load, key) for key in range(size)])

def pages(load, count):
    # Returns the values of so many pages, each in its greenlet, and the turns of another one.
    turns = []

    def takes_turns():
        while True:
            turns.append(None)
            gevent.sleep(0)

    other = gevent.spawn(takes_turns)
    greenlets = [gevent.spawn(page, load, index % 7 + 1) for index in range(count)]
    gevent.joinall(greenlets, timeout=60)
    other.kill()
    return [greenlet.get(block=False) for greenlet in greenlets], len(turns)

def check(load, count):
    values, turns = pages(load, count)
    expected = [[20 * key + 10 for key in range(index % 7 + 1)] for index in range(count)]
    assert values == expected, values
    assert turns > 1, turns
"""

KINDS = {
    "plain": """
@asynq.loader
def load(keys):
    time.sleep(0.001)
    return [10 * key for key in keys]
""",
    "blocking": """
@asynq.loader(blocking=True)
def load(keys):
    time.sleep(0.001)
    return [10 * key for key in keys]
""",
    "limited": """
@asynq.loader(blocking=True, max_in_flight=2, timeout=60)
def load(keys):
    time.sleep(0.001)
    return [10 * key for key in keys]
""",
    "coroutine": """
@asynq.loader
async def load(keys):
    await asyncio.sleep(0.001)
    return [10 * key for key in keys]
""",
    "asynq": """
@asynq.loader(blocking=True)
def ten(keys):
    time.sleep(0.001)
    return [10 for key in keys]

@asynq.loader
@asynq.asynq()
def load(keys):
    tens = yield [ten.asynq(key) for key in keys]
    return [key * ten for key, ten in zip(keys, tens)]
""",
}


@pytest.mark.parametrize("count", [6, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_greenlets_load_at_the_same_time(kind, count):
    assert_ends_well(HEAD + KINDS[kind] + f"check(load, {count})\nprint('well')")


def test_greenlets_flush_batches_of_their_own():
    assert_ends_well(
        HEAD
        + """
local = threading.local()

class Batch(asynq.BatchBase):
    def _flush(self):
        time.sleep(0.001)
        for item in self.items:
            item.set_value(10 * item.key)

    def _try_switch_active_batch(self):
        if local.batch is self:
            local.batch = Batch()

class Item(asynq.BatchItemBase):
    def __init__(self, key):
        if not hasattr(local, "batch"):
            local.batch = Batch()
        super().__init__(local.batch)
        self.key = key

class load:
    asynq = Item

check(load, 40)
print("well")
"""
    )


def test_a_timeout_ends_a_greenlet_that_waits():
    assert_ends_well(
        HEAD
        + """
@asynq.loader(blocking=True, timeout=0.01)
def load(keys):
    time.sleep(60)

def late():
    try:
        load(1)
    except asynq.LoadTimeoutError:
        return "late"

assert [greenlet.get() for greenlet in [gevent.spawn(late) for _ in range(6)]] == ["late"] * 6
print("well")
"""
    )


def test_a_greenlet_that_is_killed_while_it_waits_leaves_the_loader_usable():
    assert_ends_well(
        HEAD
        + """
begun, goes_on = threading.Event(), threading.Event()

@asynq.loader(blocking=True, max_in_flight=1)
def load(keys):
    begun.set()
    goes_on.wait()
    return keys

killed = gevent.spawn(load, 1)
begun.wait()
other = gevent.spawn(load, 2)
gevent.sleep(0)
killed.kill()
goes_on.set()
assert isinstance(killed.value, gevent.GreenletExit)
assert other.get() == 2
assert load(3) == 3
print("well")
"""
    )


def test_an_event_loop_runs_beside_that_of_coroutine_loaders():
    assert_ends_well(
        HEAD
        + KINDS["coroutine"]
        + """
async def main():
    return await load.asyncio(2)

assert load(1) == 10
assert asyncio.run(main()) == 20
print("well")
"""
    )


def test_the_package_may_be_imported_before_gevent():
    assert_ends_well(
        """
import asynq
import asynq.stores.sqlite
"""
        + HEAD
        + KINDS["blocking"]
        + "check(load, 6)\nprint('well')"
    )


def test_sqlite_lets_greenlets_load_at_the_same_time():
    assert_ends_well(
        HEAD
        + """
import pathlib, sqlite3, tempfile
from asynq.stores.sqlite import Sqlite

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "numbers.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE number (key INTEGER, ten INTEGER)")
    connection.executemany(
        "INSERT INTO number VALUES (?, ?)", [(key, 10 * key) for key in range(10)]
    )
    connection.commit()
    connection.close()
    load = Sqlite(path).row_by("number", "key", columns="ten", row=int)
    check(load, 40)
print("well")
"""
    )


GLOBAL = """
class Batch(asynq.BatchBase):
    flushes = 0

    def _flush(self):
        Batch.flushes += 1
        time.sleep(0.001)
        for item in self.items:
            item.set_value(10 * item.key)

    def _try_switch_active_batch(self):
        if Batch.open is self:
            Batch.open = Batch()

Batch.open = Batch()

class Item(asynq.BatchItemBase):
    def __init__(self, key):
        super().__init__(Batch.open)
        self.key = key

class load:
    asynq = Item
"""


@pytest.mark.parametrize("count", [6, 40])
def test_greenlets_share_a_global_batch(count):
    assert_ends_well(HEAD + GLOBAL + f"check(load, {count})\nprint('well')")


def test_a_greenlet_waits_for_the_flush_of_another_one():
    assert_ends_well(
        HEAD
        + GLOBAL
        + """
@asynq.asynq()
def main(item):
    return (yield item)

item = Item(1)
awaiting = [gevent.spawn(main, item) for _ in range(3)] + [gevent.spawn(item.value)]
assert [greenlet.get() for greenlet in awaiting] == [10] * 4
assert Batch.flushes == 1
print("well")
"""
    )


def test_a_value_that_another_greenlet_sets_wakes_one_that_waits_for_a_flight():
    assert_ends_well(
        HEAD
        + """
future, event = asynq.FutureBase(), threading.Event()

@asynq.loader(blocking=True)
def slow(keys):
    return [event.wait(30) for key in keys]

@asynq.asynq()
def sets_event():
    yield future
    event.set()

@asynq.asynq()
def main():
    return (yield slow.asynq(1), sets_event.asynq())

waits = gevent.spawn(main)
gevent.sleep(0.01)
future.set_value(None)
assert waits.get() == (True, None)
print("well")
"""
    )


def test_gevent_may_patch_after_asynq_was_imported():
    """As gunicorn does with `preload_app`."""
    assert_ends_well(
        "import asyncio, threading, asynq\n"
        + HEAD
        + KINDS["coroutine"]
        + """
for _ in range(12):  # Each had one more event loop than the one before, up to ten.
    assert gevent.spawn(page, load, 2).get() == [10, 30]
print("well")
"""
    )
