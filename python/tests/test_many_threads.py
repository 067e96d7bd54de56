"""Objects that many threads use at once; with free-threaded interpreters in mind."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynq import AsyncTaskError, BatchBase, BatchItemBase, ConstFuture, asynq, loader
from asynq.tools import alru_cache, deduplicate

THREADS = 4
ROUNDS = 20


def at_once(function):
    """Returns the values of `function(n)` in threads that begin together."""
    together = threading.Barrier(THREADS)

    def body(n):
        together.wait()
        return function(n)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(body, range(THREADS)))


class IndexBatch(BatchBase):
    """A batch whose items get their indexes as values."""

    def _try_switch_active_batch(self):
        pass

    def _flush(self):
        for item in self.items:
            item.set_value(item.index)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_items_that_many_threads_add_to_a_batch_have_one_index_each(_round):
    batch = IndexBatch()
    added = at_once(lambda _: [BatchItemBase(batch) for _ in range(100)])
    items = [item for of_thread in added for item in of_thread]
    assert sorted(item.index for item in items) == list(range(len(items)))
    assert all(batch.items[item.index] is item for item in items)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_items_that_many_threads_add_to_a_batch_get_its_answers(_round):
    batch = IndexBatch()
    added = at_once(lambda _: [BatchItemBase(batch) for _ in range(100)])
    batch.flush()
    assert all(item.value() == item.index for of_thread in added for item in of_thread)


RESOLVED_BY_ANOTHER_THREAD = """
import threading
from concurrent.futures import ThreadPoolExecutor
from asynq import BatchBase, BatchItemBase, ConstFuture, FutureBase, asynq

class Batch(BatchBase):
    def __init__(self, resolved):
        super().__init__()
        self.resolved = resolved

    def _try_switch_active_batch(self):
        pass

    def _flush(self):
        self.resolved.wait()
        for item in self.items:
            item.set_value(None)

@asynq()
def wait_for(future):
    return (yield future)

@asynq()
def wait_for_all(futures, resolved):
    tasks = [wait_for.asynq(future) for future in futures]
    values, _ = yield tasks, BatchItemBase(Batch(resolved))
    return values

def work(number):
    together.wait()
    if number > 0:
        return wait_for_all(futures[number], resolved)
    for one_of_each in zip(*futures):
        for future in one_of_each:
            future.set_value(42)
    resolved.set()
    return [42] * 20

done = threading.Event()
done.set()
wait_for_all([ConstFuture(1)], done)
for _ in range(3):
    resolved, together = threading.Event(), threading.Barrier(4)
    futures = [[FutureBase() for _ in range(20)] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[42] * 20] * 4
"""


# In fresh processes, where names are looked up for the first time, which lets other threads in.
@pytest.mark.parametrize("_process", range(4))
def test_futures_that_a_thread_resolves_wake_tasks_that_begin_to_wait_for_them(_process):
    program = [sys.executable, "-c", RESOLVED_BY_ANOTHER_THREAD]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_task_that_many_threads_ask_for_runs_once(_round):
    runs = []

    @asynq()
    def number(n):
        runs.append(n)
        return (yield ConstFuture(n))

    tasks = [number.asynq(n) for n in range(20)]

    def values(_):
        values = []
        for task in tasks:
            try:
                values.append(task.value())
            except (AsyncTaskError, RuntimeError) as error:
                if "another thread" not in str(error):
                    raise
        return values

    seen = at_once(values)
    assert sorted(runs) == list(range(20))
    assert all(set(values) <= set(range(20)) for values in seen)


def test_many_threads_share_a_loader():
    @loader
    def double(keys):
        return {key: 2 * key for key in keys}

    @asynq()
    def both(n):
        first = yield double.asynq(n)
        second = yield double.asynq(n + 1)
        return first + second

    @asynq()
    def all_of(numbers):
        return (yield [both.asynq(n) for n in numbers])

    def work(n):
        results = []
        for _ in range(ROUNDS):
            results.append(all_of(range(30)))
            double.clear(n)
        return results

    expected = [4 * n + 2 for n in range(30)]
    assert at_once(work) == [[expected] * ROUNDS] * THREADS


def test_many_threads_share_caches_and_pending_tasks():
    @alru_cache(maxsize=16)
    @asynq()
    def square(n):
        return (yield ConstFuture(n * n))

    @deduplicate()
    @asynq()
    def shared_square(n):
        return (yield square.asynq(n))

    @asynq()
    def squares():
        return (yield [shared_square.asynq(n % 20) for n in range(60)])

    expected = [(n % 20) ** 2 for n in range(60)]
    assert at_once(lambda _: [squares() for _ in range(ROUNDS)]) == [[expected] * ROUNDS] * THREADS


def test_a_list_that_another_thread_changes_can_be_yielded():
    futures = [ConstFuture(1)] * 20

    @asynq()
    def values():
        return (yield futures)

    def work(n):
        for _ in range(200):
            if n == 0:
                futures.append(ConstFuture(1))
                futures.pop(0)
            else:
                assert set(values()) == {1}

    at_once(work)
