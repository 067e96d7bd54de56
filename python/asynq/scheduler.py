"""The scheduler: one a thread. It runs tasks, and flushes batches when no task can go on."""

import threading

from ._asynq import TaskScheduler, get_active_task, get_scheduler, reset_scheduler

__all__ = [
    "AsyncTaskError",
    "LocalTaskSchedulerState",
    "TaskScheduler",
    "get_active_task",
    "get_scheduler",
    "reset",
]


class AsyncTaskError(Exception):
    """A task can't go on, or a future was used in a way that can't work."""


class LocalTaskSchedulerState(threading.local):
    """The scheduler of the calling thread, as attributes of `asynq.scheduler._state`."""

    def __init__(self):
        super().__init__()
        #: How many schedulers this thread had before its current one.
        self.last_id = 0

    @property
    def current(self):
        """The scheduler of this thread."""
        return get_scheduler()

    def reset(self):
        """Gives this thread a new scheduler."""
        self.last_id += 1
        reset_scheduler()


_state = LocalTaskSchedulerState()


def reset():
    """Gives this thread a new scheduler; what the old one had not finished is forgotten."""
    _state.reset()
