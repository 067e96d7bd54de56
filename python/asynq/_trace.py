"""Output of the `DUMP_*` options: one function per kind of step."""

import traceback

from . import debug


def _write(text, *shown):
    debug.write("@async: " + text % tuple(debug.str(each) for each in shown))


def new_task(task):
    _write("new task: %s, created by %s", task, task.creator)


def computed(future):
    _write("computed %s", future)


def yield_result(task, value):
    _write("yield: %s -> %s", task, debug.repr(value))


def queued_result(task, value):
    _write("queuing exit: %s <- %s", debug.repr(value), task)


def queued_error(task, error):
    _write("queuing throw error: %s <-x- %s", debug.repr(error), task)


def exception(error):
    debug.dump_error(error)


def schedule_task(dependency):
    _write("scheduling task %s", dependency)


def dependency(task, dependency):
    _write("+dependency: %s needs %s", task, dependency)


def continue_begin(task):
    _write("-> continuing %s", task)


def continue_end(task):
    _write("<- continued %s", task)


def skip_task(task):
    _write("skipping %s", task)


def schedule_batch(batch):
    _write("scheduling batch %s", batch)


def cannot_schedule_batch(batch):
    _write("can't schedule flushed batch %s", batch)


def flush_begin(batch):
    _write("-> batch flush:")
    batch.dump(4)
    if debug.options.DUMP_STACK:
        debug.dump_stack()


def flush_end(batch):
    _write("<- batch flushed: %s", batch)


def no_batch():
    _write("no batch to flush")


def sync_call(task):
    if task.creator is not None:
        _write("%s called synchronously from %s", task, task.creator)


def context_enter(context):
    _write("+context: %s", context)


def context_leave(context):
    _write("-context: %s", context)


def scheduler_state(scheduler):
    scheduler.try_time_based_dump()


def callback_failed(error):
    """Reports an error of an `on_computed` handler. No option switches this off."""
    print(f"exception ignored in asynq on_computed callback: {error!r}")
    traceback.print_exception(type(error), error, error.__traceback__)
