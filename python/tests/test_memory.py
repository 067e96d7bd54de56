"""Large numbers of objects leave the memory of the process as it was."""

import gc
import subprocess
import sys
import weakref

import pytest

from asynq import FutureBase, asynq


@asynq()
def look_up(source, key):
    return (yield source.item(key))


def blocks_after(run, rounds):
    """Returns the number of memory blocks in use after so many rounds."""
    for _ in range(rounds):
        run()
    gc.collect()
    return sys.getallocatedblocks()


def test_a_million_tasks_leave_memory_as_it_was(no_garbage_yet, source):
    @asynq()
    def child(x):
        return x

    @asynq()
    def main():
        return len((yield [child.asynq(x) for x in range(10_000)]))

    before = blocks_after(main, 2)
    after = blocks_after(main, 98)
    assert after - before < 1000


def test_a_hundred_thousand_items_leave_memory_as_it_was(no_garbage_yet, new_source):
    source = new_source("source")

    def main():
        look_up_all(source, range(1000))
        source.log.clear()
        source.flushed.clear()

    before = blocks_after(main, 2)
    after = blocks_after(main, 98)
    assert after - before < 1000


@asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


def test_many_contexts_leave_memory_as_it_was(no_garbage_yet, source, context, log):
    @asynq()
    def child(n):
        with context("c"):
            yield source.item(n)

    @asynq()
    def main():
        yield [child.asynq(n) for n in range(100)]
        log.clear()
        source.flushed.clear()

    before = blocks_after(main, 2)
    after = blocks_after(main, 20)
    assert after - before < 200


def test_many_errors_leave_memory_as_it_was(no_garbage_yet, source):
    @asynq()
    def fail():
        yield source.item(1)
        raise KeyError("x")

    @asynq()
    def main():
        try:
            yield [fail.asynq() for _ in range(100)]
        except KeyError:
            pass
        source.log.clear()
        source.flushed.clear()

    before = blocks_after(main, 2)
    after = blocks_after(main, 20)
    assert after - before < 200


def test_a_chain_of_a_million_tasks_runs_and_is_freed(no_garbage_yet):
    @asynq()
    def count_down(n):
        if n == 0:
            return 0
        return 1 + (yield count_down.asynq(n - 1))

    count_down(5000)  # The memory of a thousand tasks is kept for the next ones.
    before = sys.getallocatedblocks()
    assert count_down(999_999) == 999_999
    gc.collect()
    assert sys.getallocatedblocks() - before < 1000


def test_a_chain_of_a_hundred_thousand_tasks_that_failed_is_freed(no_garbage_yet):
    @asynq()
    def fail(n):
        """Fails. The error keeps the first failed task alive, which keeps its creators alive."""
        if n == 0:
            raise KeyError(n)
        yield fail.asynq(n - 1)

    before = sys.getallocatedblocks()
    error = fail.asynq(100_000).error()
    assert error._task.creator.creator.args == (2,)
    del error
    gc.collect()
    assert sys.getallocatedblocks() - before < 1000


def test_a_chain_of_a_million_values_is_freed(no_garbage_yet):
    class Value:
        pass

    value = Value()
    gone = weakref.ref(value)
    future = FutureBase()
    future.set_value(value)
    for _ in range(1_000_000):
        outer = FutureBase()
        outer.set_value(future)
        future = outer
    del value, future, outer
    assert gone() is None


PROGRAM = """
import gc, resource
from asynq import asynq

@asynq()
def child(x):
    yield None
    return x

@asynq()
def main():
    yield [child.asynq(x) for x in range(10_000)]

def peak(rounds):
    for _ in range(rounds):
        main()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

gc.disable()
before = peak(5)
print(peak(95) / before)
"""


def test_a_million_tasks_need_no_more_memory_than_ten_thousand():
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, check=True)
    assert float(done.stdout) < 1.1
