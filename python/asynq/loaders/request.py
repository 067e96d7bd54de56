"""One call of a batch function, and the delivery of its answer to the loads."""

import asyncio
import contextvars
import functools
import inspect
import itertools
import logging
import time
from concurrent.futures import CancelledError

from .._asynq import Flight, call_with_permits, get_active_task
from .._explain import answers
from .._forgotten import may_be_dropped
from ..decorators import asynq
from . import errors, limit
from .caller_context import CallerContext, definition_context
from .event_loop_thread import CoroutineCall, event_loop_thread
from .running_function import RunningFunction, running_function
from .settings import NOTHING
from .stats import Flushed
from .thread_pool import thread_pool

__traceback_hide__ = True

_logger = logging.getLogger(__name__)


class Request:
    """One call of the batch function, with at most `max_batch_size` keys.

    The extension makes it for a part of the round of a `LoaderHost`. When it has its permits, it
    gets its loads and keys, which correspond by position. The function gets the very list of keys,
    and may change it.
    """

    def __init__(self, loader, host, part):
        self.loader = loader
        self.loads, self.keys = (), ()
        self.function = None  # The RunningFunction, if it needs permits.
        self.task = None  # The task of an @asynq() function, or on an event loop that of asyncio.
        self.is_nested = False  # True once a batch function waits for one of the keys.
        self._host = host
        self._part = part
        self._started = None  # The time at which the function was called.
        self._seconds = None  # The duration of the call.
        self._flight = self._call = None
        self._has_keys = self._has_finished = False

    def permit(self):
        """Takes the keys, since it has its permits. Returns whether there are any.

        Works in any thread, and can be called again.
        """
        if not self._has_keys:
            sent = self._host.permit(self._part)
            if sent is None:
                return False
            self.loads, self.keys = sent
            self._has_keys = True
        return True

    def _withdraw(self):
        """Ends a request that has no keys, in the thread of its scheduler or event loop."""
        if self.function is not None:
            self.function.permits.release()
            self.function.end()
        # The keys may be late. As long as they are not told, their scheduler waits for the flight.
        self._host.perform(self.loader)
        self._host.forget(self._part)

    def start(self):
        """Starts the clock, and calls `before_flush`. Must precede the call of the function."""
        self._started = time.perf_counter()
        if self.loader.settings.before_flush is not None:
            self.loader.settings.before_flush(self.keys)

    def stop(self):
        """Stops the clock, where the function has ended."""
        self._seconds = time.perf_counter() - self._started

    def call(self):
        """Calls the batch function, in any thread."""
        self.start()
        try:
            return self.loader.fn(self.keys)
        finally:
            self.stop()

    def call_on_thread(self, caller):
        """Calls the batch function on a worker thread, in a `CallerContext`."""
        if self.loader.settings.executor is not None:
            return caller.run(self.call)
        return thread_pool.run(caller.run, self.call)

    async def call_async(self, coroutine=None):
        """Awaits the batch function, or the coroutine that a call of it has returned."""
        if coroutine is None:
            self.start()
        try:
            return await (self.loader.fn(self.keys) if coroutine is None else coroutine)
        finally:
            self.stop()

    def send(self):
        """Calls the batch function, as soon as it has its permits."""
        loader = self.loader
        try:
            if answers.replayed() is not None:
                self.replay()
            elif loader.is_asynq_function and loader.group_limit is None:
                self._start_task()
            elif loader.settings.blocking:
                self._launch(self._begin_on_thread, None)
            elif loader.is_coroutine_function:
                self._call_on_event_loop()
            elif loader.limit is None and loader.group_limit is None:
                self._call_here()
            else:
                self._call_when_permitted()
        except BaseException as error:
            self.fail(error)

    def replay(self):
        """Delivers recorded answers instead of calling the batch function."""
        if self.permit():
            self.start()
            self.deliver(answers.replayed().answers(self.loader.name, self.keys))
        else:
            self._host.perform(self.loader)
            self._host.forget(self._part)

    def _start_task(self):
        if self.permit():
            self.task = definition_context(self.loader).run(_run.asynq, self)
            self._watch()
        else:
            self._withdraw()

    def _watch(self):
        """Makes the scheduler of this thread wait for the deadline, if there is one."""
        if self.loader.settings.timeout is not None:
            self._flight = Flight(self)
            self._host.watch(self._part, self._flight)

    def _call_here(self):
        answer = self._call_if_permitted()
        if self._has_keys:
            self._receive(answer)
        else:
            self._withdraw()

    def _call_if_permitted(self):
        return self._host.call(self._part, self._call_in_definition) if self.permit() else None

    def _receive(self, answer):
        if inspect.iscoroutine(answer):
            self._call_on_event_loop(answer)
        else:
            self.deliver(answer)

    def _call_when_permitted(self):
        """Calls the batch function on this thread, once its limits have room."""
        timeout = self.loader.settings.timeout
        function = self.new_function(asyncio._get_running_loop(), running_function.get())
        self._watch()
        answer = call_with_permits(function, self._call_if_permitted, timeout)
        if self._has_keys:
            self._receive(answer)  # Without the permits, which a signal handler may need.
        else:
            self.expire()  # Unless it has no keys any more.
            self._withdraw()

    def _call_in_definition(self):
        caller = contextvars.copy_context() if self.loader._is_of_one_request else None
        return definition_context(self.loader, caller=caller).run(self.call)

    def _call_on_event_loop(self, coroutine=None):
        thread = event_loop_thread()
        begin = functools.partial(self._begin_on_event_loop, thread, coroutine)
        self._launch(begin, thread.event_loop())

    def new_function(self, event_loop, parent):
        """Returns the new `RunningFunction` of this request, which `parent` waits for, if any."""
        self.function = RunningFunction(self, limit.permits(self.loader, event_loop), parent)
        if self.is_nested:
            self.function.nest()
        return self.function

    def nest(self):
        """Notes that a batch function waits for one of the keys."""
        self.is_nested = True
        if self.function is not None:
            self.function.nest()

    def _launch(self, begin, event_loop):
        function = self.new_function(event_loop, running_function.get())
        begin = functools.partial(begin, CallerContext(self.loader, function))
        self._flight = Flight(self)
        function.may_run_here = True
        self._host.launch(self._part, self._flight, function.permits, begin)
        function.may_run_here = False

    def _begin_on_thread(self, caller):
        if self.permit():
            job = functools.partial(self._flight.run, self.call_on_thread, caller)
            self.function.submit(job, self._flight.set_error)
        else:
            self._give_up()

    def _begin_on_event_loop(self, thread, coroutine, caller):
        if self.permit():
            if self._call is None:
                call = CoroutineCall(self._flight, caller, thread, self.call_async, coroutine)
                self._call = call
            self._call.begin()
        else:
            self._give_up()

    def _give_up(self):
        """Makes the scheduler end the request, which has no keys, from any thread."""
        self.function.permits.release()
        self._flight.set_answer(None)

    def is_asker(self):
        """Returns whether the batch function itself is calling this."""
        return self.task is not None and _is_within(self.task)

    def expire(self):
        """Fails the keys whose deadline has passed."""
        self._host.late(self.loader, self._part)

    def cancel(self, is_late):
        """Ends the request, because all of its keys are late or nobody waits for it any more.

        A coroutine keeps its permits until it has ended: it may have to clean up. A function on a
        thread, which nobody can cancel, gives them up, since it may never return.
        """
        if self._call is not None:
            self._call.cancel()
        if not self._has_keys:
            self._withdraw()
            return
        if self.function is not None and self._call is None:
            self.function.permits.release()
        if is_late:
            self._finish(TimeoutError(f"no answer within {self.loader.settings.timeout:g} s"))
        else:
            self._finish(CancelledError())

    # The scheduler calls these again if an exception, which may be that of a signal handler, comes
    # out of them before the flight is finished.

    def deliver(self, answer):
        """Resolves the loads with the values that the batch function has returned."""
        if not self._has_keys:
            self._withdraw()
            return
        if not self._has_finished:
            error = None
            try:
                self._resolve(answer)
            except Exception as invalid:
                error = invalid
            if error is not None:
                self.fail(error)
                return
        self._finish(None)

    def _resolve(self, answer):
        keeps_errors = self.loader.settings.cache_errors
        loads = self.loads
        missing = self._host.deliver(self._part, loads, answer, keeps_errors)
        if missing:
            missing_keys = [loads[index].key for index in missing]
            for index, value in zip(missing, self._substitutes(missing_keys, answer)):
                self._host.answer(self._part, index, loads[index], value, keeps_errors)

    def _substitutes(self, missing_keys, answer):
        """Returns one default value or error per key that is missing from the answer."""
        settings = self.loader.settings
        if settings.default_factory is not None:
            return (settings.default_factory() for _ in missing_keys)
        if settings.default is not NOTHING:
            return itertools.repeat(settings.default)
        return errors.missing(self.loader.name, missing_keys, answer)

    def fail(self, error):
        """Fails all loads, because the request has failed. Such errors are never cached."""
        if not self._has_finished and self.permit():
            for index, load in enumerate(self.loads):
                failed = errors.failed(self.loader.name, load.key, error)
                self._host.answer(self._part, index, load, failed, False)
        self._finish(error)
        if errors.is_interrupt(error):
            raise error  # It ends the synchronous call at once.

    def _finish(self, error):
        if self._started is not None and self._seconds is None:
            self.stop()
        self._host.end(self.loader, self._part, self._seconds or 0.0)
        if self.function is not None:
            self.function.end()
        self._call = self.task = None  # They refer to the request.
        if self._flight is not None:
            self._flight.finish()
        if self._has_finished:
            return
        self._has_finished = True
        answers.record(self.loader.name, self.loads)
        self.loads = ()  # They have the values, and a worker thread may still refer to the request.
        after_flush = self.loader.settings.after_flush
        if after_flush is not None and self._has_keys:
            try:
                after_flush(Flushed(self.keys, self._seconds or 0.0, error))
            except Exception:
                # Logged, because the loads already have their values.
                _logger.exception("after_flush of the loader %s has failed", self.loader.name)


def _is_within(task):
    """Returns whether the code that runs now was called by a task."""
    caller = get_active_task()
    while caller is not None and caller is not task:
        caller = caller.creator
    return caller is task


@asynq()
@may_be_dropped
def _run(request):
    """Calls a batch function that is an `@asynq()` function."""
    try:
        request.start()
        answer = yield request.loader.fn.asynq(request.keys)
    except BaseException as error:
        request.fail(error)
    else:
        request.deliver(answer)
