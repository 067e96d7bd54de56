"""Where functions run that would hold up the scheduler: daemon threads, and an event loop in one.

Daemons, so that a function that never returns keeps no program from ending.
"""

import asyncio
import contextvars
import sys
import threading
import types
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from .._asynq import call_for, get_active_task
from .._fork import begin_anew_after_fork
from ..scoped_value import snapshot_values, with_values

__traceback_hide__ = True

# A thread that has had nothing to do for so many seconds ends.
_IDLE_SECONDS = 10


class Surroundings:
    """What user code finds around it: its asynq stack, its context variables, its scoped values."""

    def __init__(self):
        self.task = get_active_task()
        self.context = contextvars.copy_context()
        self.values = snapshot_values()

    def run(self, function, *args):
        return self.context.run(with_values, self.values, call_for, self.task, function, *args)

    @types.coroutine
    def drive(self, coroutine):
        """Runs a coroutine among them, step by step: others run in between."""
        step, argument = coroutine.send, None
        while True:
            try:
                awaited = call_for(self.task, step, argument)
            except StopIteration as end:
                return end.value
            try:
                step, argument = coroutine.send, (yield awaited)
            except GeneratorExit:
                call_for(self.task, coroutine.close)
                raise
            except BaseException as error:
                step, argument = coroutine.throw, error

    def start(self, coroutine):
        """Runs a coroutine on the event loop of the running thread, as a task."""
        return self.context.run(
            with_values, self.values, asyncio.ensure_future, self.drive(coroutine)
        )


class Threads:
    """A pool that has as many threads as it has functions to run at once."""

    def __init__(self):
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self):
        self._work = SimpleQueue()
        self._idle = 0
        self._lock = threading.Lock()

    def submit(self, function, *args):
        """Has a thread call the function: returns a `concurrent.futures.Future`."""
        _check_that_threads_run()
        future = Future()
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                threading.Thread(target=self._run, name="asynq worker", daemon=True).start()
        self._work.put((future, function, args))
        return future

    def _run(self):
        while True:
            try:
                future, function, args = self._work.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # Somebody counts on this one.
            _fulfil(future, function, args)
            del future, function, args
            with self._lock:
                self._idle += 1


def _check_that_threads_run():
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is shutting down, and no other thread runs any more")


def _fulfil(future, function, args):
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = function(*args)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


class Loop:
    """An event loop in a thread of its own, which begins when it is first needed."""

    def __init__(self):
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self):
        self._lock = threading.Lock()
        self._loop = None

    def submit(self, surroundings, coroutine):
        """Runs a coroutine to its end: returns a `concurrent.futures.Future`."""
        try:
            _check_that_threads_run()
            with self._lock:
                if self._loop is None:
                    self._loop = _running()
        except BaseException:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(_started(surroundings, coroutine), self._loop)


def _running():
    """A new event loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    try:
        threading.Thread(target=loop.run_forever, name="asynq event loop", daemon=True).start()
    except BaseException:
        loop.close()
        raise
    return loop


async def _started(surroundings, coroutine):
    return await surroundings.start(_kept_in(coroutine))


class Interrupt(Exception):
    """Stands for an `error` that would end the event loop, of which all others would never know."""

    def __init__(self, error):
        super().__init__(error)
        self.error = error


async def _kept_in(coroutine):
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise Interrupt(error) from None


threads = Threads()
loop = Loop()
