"""What tasks and batches took, collected while `debug.options.COLLECT_PERF_STATS` is on.

Each thread has rows of its own. A row is a dict: `name`, `time_taken` (microseconds), and
`dependencies`, a list of (name, time_taken) of what a task waited for, or of the items of a batch.
Rows of tasks also have `num_deps`. Dependencies are kept to the end of a task if
`debug.options.KEEP_DEPENDENCIES` is on as well.

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
    """The rows of a thread, and how many ids it has given out."""

    def __init__(self):
        super().__init__()
        self.stats = []
        self.counter = 0


_state = LocalProfileState()


def flush():
    """Returns the rows collected so far, and forgets them."""
    rows = list(_state.stats)
    reset()
    return rows


def append(stats):
    """Adds a row."""
    _state.stats.append(stats)


def reset():
    """Forgets all rows, and counts ids from 1 again."""
    _state.stats.clear()
    _state.counter = 0


def incr_counter():
    """Returns the next id of this thread: 1, 2, 3 …"""
    _state.counter += 1
    return _state.counter
