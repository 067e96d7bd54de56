"""The scheduler of a thread. It runs tasks, and flushes batches when no task can run."""

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
    """A task cannot continue, or a future was used wrongly."""


class LocalTaskSchedulerState(threading.local):
    """The scheduler of the calling thread, as attributes of `asynq.scheduler._state`."""

    def __init__(self):
        super().__init__()
        #: Number of schedulers that this thread had before its current one.
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
    """Gives this thread a new scheduler, and abandons the unfinished tasks of the old one."""
    _state.reset()
