"""Times of tasks and batches, collected while `debug.options.COLLECT_PERF_STATS` is on.

Each thread collects its own rows. A row is a dict with the keys

- `name`;
- `time_taken`: the running time, in microseconds;
- `dependencies`: a list of tuples (name, time_taken), one for each future that a task awaited or
  for each item of a batch;
- `num_deps`: the number of dependencies (tasks only).

A row of a task lists all its dependencies only if `debug.options.KEEP_DEPENDENCIES` is on, too.

>>> from asynq import asynq, debug, profiler
>>> @asynq()
... def double(x):
...     return 2 * x
>>> debug.options.COLLECT_PERF_STATS = True
>>> double(21)
42
>>> debug.options.COLLECT_PERF_STATS = False
>>> len(profiler.flush())
1
"""

import threading

__all__ = ["LocalProfileState", "append", "flush", "incr_counter", "reset"]


class LocalProfileState(threading.local):
    """The collected rows of a thread, and the last id it has assigned."""

    def __init__(self):
        super().__init__()
        self.stats = []
        self.counter = 0


_state = LocalProfileState()


def flush():
    """Returns the rows that this thread has collected, and removes them."""
    rows = list(_state.stats)
    reset()
    return rows


def append(stats):
    """Adds a row to the rows of this thread."""
    _state.stats.append(stats)


def reset():
    """Removes all rows of this thread, and restarts its ids at 1."""
    _state.stats.clear()
    _state.counter = 0


def incr_counter():
    """Returns the next id of this thread: 1, 2, 3 …"""
    _state.counter += 1
    return _state.counter
