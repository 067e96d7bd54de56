"""Numbers by which a recording knows the tasks of asyncio that call async functions."""

import asyncio
import weakref

__traceback_hide__ = True

# The epoch of the recording and the number of each task.
_numbers = weakref.WeakKeyDictionary()


def number(event_loop, epoch):
    """Returns the number of the current task, if it has one in this epoch, and its coroutine."""
    task = asyncio.current_task(event_loop)
    if task is None:
        return None, None
    known_epoch, known = _numbers.get(task, (None, None))
    return known if known_epoch == epoch else None, task.get_coro()


def set_number(number, epoch):
    """Gives the current task a number."""
    task = asyncio.current_task()
    if task is not None:
        _numbers[task] = epoch, number
