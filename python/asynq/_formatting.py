"""Text output about futures, tasks, batches and schedulers.

The extension calls these functions by name: they implement `__str__`, `__repr__`, `dump`,
`traceback` and the profiler rows of its classes.
"""

import linecache
import threading
import time

from . import debug, profiler
from ._asynq import AsyncTask, BatchItemBase


class _ActiveReprs(threading.local):
    """The ids of the futures whose `repr` is running in this thread."""

    def __init__(self):
        self.ids = set()


_active_reprs = _ActiveReprs()


def _status(future):
    """Returns the outcome of a computed future."""
    if future._error is not None:
        return f"error = {future._error!r}"
    return f"= {future._value!r}"


def future_repr(future):
    if id(future) in _active_reprs.ids:
        return "<recursion>"
    _active_reprs.ids.add(id(future))
    try:
        if not future.is_computed():
            status = "isn't computed"
        elif future._value is future:
            status = "computed, = self"
        else:
            status = f"computed, {_status(future)}"
        return f"{type(future)} ({status})"
    finally:
        _active_reprs.ids.discard(id(future))


def future_dump(future, indent):
    debug.write(debug.str(future), indent)


def full_name(source):
    """Returns the name of a function or class, with its module."""
    if hasattr(source, "is_decorator"):
        return str(getattr(source, "decorator", source))
    if hasattr(source, "__module__") and hasattr(source, "__name__"):
        return f"{source.__module__ or '<unknown module>'}.{source.__name__}"
    return str(getattr(source, "fn", source))


def _argument(value):
    for text in (str, repr):
        try:
            return text(value)
        except Exception:
            pass
    return "<n/a str raised>"


def _call(fn, args, kwargs):
    arguments = [_argument(value) for value in args]
    arguments += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
    return f"{full_name(fn)}({','.join(arguments)})"


def task_call(task):
    """Returns the call that a task runs, cut to `options.DEBUG_STR_REPR_MAX_LENGTH`."""
    return debug.str(_call(task.fn, task.args, task.kwargs))


def task_str(task):
    # iteration_index counts the yield at which the task is suspended only when the task continues.
    passed = task.iteration_index - 1
    step = f"passed yield #{passed}" if passed > 0 else "before 1st yield"
    if task.is_computed():
        status = f"computed, {_status(task)}"
    elif task.is_blocked():
        status = f"blocked x{len(task._dependencies)}"
    elif task.can_continue():
        status = "waiting"
    else:
        status = "almost finished (generator is closed)"
    return f"@asynq {_call(task.fn, task.args, task.kwargs)} ({status}, {step})"


def task_to_str(task):
    if task._name is None:
        name = f"{task._id:06}.{full_name(task.fn)}"
        try:
            task._name = f"{name}({task.args!r} {task.kwargs!r})"
        except Exception:  # The repr of an argument has failed.
            task._name = name
    return task._name


def task_dump(task, indent):
    from .async_task import MAX_DUMP_INDENT

    if indent > MAX_DUMP_INDENT:
        debug.write("...", indent + 1)
        return
    debug.write(debug.str(task), indent)
    if task._dependencies:
        debug.write("Dependencies:", indent + 1)
        for dependency in task._dependencies:
            dependency.dump(indent + 2)
    else:
        debug.write("No dependencies.", indent + 1)


def task_traceback(task):
    """Returns one text per task, from the outermost creator down to `task`."""
    lines, seen = [], set()
    while task is not None and id(task) not in seen:  # `creator` can be set, also in a circle.
        seen.add(id(task))
        try:
            lines.append(task._traceback_line())
        except Exception:
            lines.append(debug.str(task, truncate=False))
        task = task.creator
    lines.reverse()
    return lines


def task_traceback_line(task):
    """Returns the line at which a task is suspended, formatted like a traceback entry."""
    frame = task._frame or debug.get_frame(task._generator)
    if frame is None:
        return str(task)
    code = frame.f_code
    place = f'File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}'
    source = linecache.getline(code.co_filename, frame.f_lineno, frame.f_globals).strip()
    return f"{place}\n    {source}" if source else place


def task_collect_perf_stats(task):
    dependencies = task._dependencies
    task.perf_stats = {
        "name": task.to_str(),
        "num_deps": len(dependencies),
        "dependencies": [
            (dependency.to_str(), dependency._total_time)
            for dependency in dependencies
            if isinstance(dependency, (AsyncTask, BatchItemBase))
        ],
    }


def task_dump_perf_stats(task):
    task.perf_stats["time_taken"] = task._total_time
    profiler.append(task.perf_stats)


def batch_str(batch):
    if batch.is_cancelled():
        state = "cancelled"
    elif batch.is_flushed():
        state = "flushed"
    else:
        state = "pending"
    return f"{full_name(type(batch))} ({state}, {len(batch.items)} items)"


def batch_dump(batch, indent):
    debug.write(debug.str(batch), indent)
    debug.write(f"Priority: {debug.repr(batch.get_priority())}", indent + 1)
    if batch.items:
        debug.write("Items:", indent + 1)
        for item in batch.items:
            item.dump(indent + 2)
    else:
        debug.write("No items.", indent + 1)


def batch_dump_perf_stats(batch, time_taken):
    batch._total_time = time_taken
    profiler.append(
        {
            "time_taken": time_taken,
            "name": batch.to_str(),
            "dependencies": [(item.to_str(), item._total_time) for item in batch.items],
        }
    )


def item_to_str(item):
    return f"{item._id:06}.{debug.str(item, truncate=False)}"


def scheduler_str(scheduler):
    tasks, batches = len(scheduler._tasks), len(scheduler._batches)
    counts = f"{tasks} tasks, {batches} batches"
    return f"{type(scheduler)} {scheduler.name!r} ({counts}; active task: {scheduler.active_task})"


def scheduler_dump(scheduler, indent):
    debug.write(debug.str(scheduler), indent)
    if scheduler._tasks:
        debug.write("Task queue:", indent + 1)
        for task in scheduler._tasks:
            task.dump(indent + 2)
    else:
        debug.write("No tasks in task queue.", indent + 1)
    if scheduler._batches:
        debug.write("Batches:", indent + 1)
        for batch in scheduler._batches:
            batch.dump(indent + 2)


def scheduler_try_time_based_dump(scheduler, last_task):
    now = time.time()
    if now - scheduler._last_dump_time < debug.options.SCHEDULER_STATE_DUMP_INTERVAL:
        return
    scheduler._last_dump_time = now
    debug.write("\n--- Scheduler state dump: --------------------------------------------")
    try:
        scheduler.dump()
        if last_task is not None:
            debug.write(f"Last task: {debug.str(last_task)}", 1)
    finally:
        debug.write("-" * 70 + "\n")
        debug.stdout.flush()
        debug.stderr.flush()
