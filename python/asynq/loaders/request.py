"""One call of a batch function, and the delivery of its answer to the loads."""

import asyncio
import functools
import inspect
import itertools
import logging
import time

from .._asynq import Flight, call_with_permits, deliver, resolve_load
from . import errors, limit
from .caller_context import CallerContext, definition_context
from .event_loop_thread import CoroutineCall, event_loop_thread
from .running_function import RunningFunction
from .settings import NOTHING
from .stats import Flushed
from .thread_pool import thread_pool

__traceback_hide__ = True

_logger = logging.getLogger(__name__)


class Request:
    """One call of the batch function, with at most `max_batch_size` keys of a `LoaderBatch`.

    `loads` and `keys` correspond by position.
    """

    def __init__(self, batch, loads, keys):
        self.loader = batch.loader
        self.keys = keys
        self._batch = batch
        self.loads = loads
        self._started = None  # The time at which the function was called.
        self._seconds = None  # The duration of the call.
        self._flight = self._call = None
        self.function = None  # The RunningFunction, once it is sent.
        self.has_finished = False
        self._was_sent = True
        self._abandoned = 0

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
        """Calls the batch function: one that is an `@asynq()` function synchronously."""
        loader, answer = self.loader, None
        try:
            if not (loader.settings.blocking or loader.is_coroutine_function):
                answer = self._call_here()
            is_coroutine = loader.is_coroutine_function or inspect.iscoroutine(answer)
            thread = event_loop_thread() if is_coroutine else None
            if is_coroutine or loader.settings.blocking:
                function = self.new_function(thread and thread.event_loop())
        except BaseException as error:
            self.fail(error)
            return
        if is_coroutine:
            flight, caller = self._new_flight(), CallerContext(loader, function)
            self._call = CoroutineCall(flight, caller, thread, self.call_async, answer)
            self._launch(self._call.begin)
        elif loader.settings.blocking:
            flight, caller = self._new_flight(), CallerContext(loader, function)
            job = functools.partial(flight.run, self.call_on_thread, caller)
            self._launch(functools.partial(function.submit, job, flight.set_error))
        else:
            self.deliver(answer)

    def _call_here(self):
        """Calls the batch function on this thread, once its group has room."""
        if self.loader.group_limit is None:
            return self._call_in_definition()
        timeout = self.loader.settings.timeout
        function = self.new_function(asyncio._get_running_loop())
        if timeout is not None:
            self.watch().start_timeout()
        answer = call_with_permits(function, self._call_in_definition, timeout)
        if self._started is None:
            self.time_out()
        return answer

    def _call_in_definition(self):
        return definition_context(self.loader).run(self.call)

    def new_function(self, event_loop=None):
        """Returns the new `RunningFunction` of this request."""
        permits = limit.permits(self.loader, event_loop)
        self.function = RunningFunction(self.loader, self.keys, permits)
        return self.function

    def _new_flight(self):
        self._flight = Flight(self, self.loader.settings.timeout)
        return self._flight

    def _launch(self, begin):
        self.function.may_run_here = True
        self._batch.launch(self._flight, self.function.permits, begin)
        self.function.may_run_here = False

    def watch(self):
        """Makes the scheduler of this thread wait for the answer. Returns the new flight."""
        flight = self._new_flight()
        self._batch.watch(flight)
        return flight

    def expire(self):
        """Cancels the request, whose deadline has passed, and fails all loads."""
        if self._call is not None:
            self._call.cancel()
        self.time_out()

    # The scheduler calls these again if an exception, which may be that of a signal handler, comes
    # out of them before the flight is finished.

    def deliver(self, answer):
        """Resolves the loads with the values that the batch function has returned."""
        if not self.has_finished:
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
        missing = deliver(self.loads, answer, keeps_errors)
        if missing:
            for load, value in zip(missing, self._substitutes(missing, answer)):
                resolve_load(load, value, keeps_errors)

    def _substitutes(self, missing, answer):
        """Returns one default value or error per load that is missing from the answer."""
        settings = self.loader.settings
        if settings.default_factory is not None:
            return (settings.default_factory() for _ in missing)
        if settings.default is not NOTHING:
            return itertools.repeat(settings.default)
        return errors.missing(self.loader.name, [load.key for load in missing], answer)

    def fail(self, error):
        """Fails all loads, because the request has failed. Such errors are never cached."""
        if not self.has_finished:
            for load in self.loads:
                resolve_load(load, errors.failed(self.loader.name, load.key, error), False)
        self._finish(error)
        if errors.is_interrupt(error):
            raise error  # It ends the synchronous call at once.

    def time_out(self):
        """Fails all loads, because the answer is late."""
        seconds = self.loader.settings.timeout
        if self.function is not None:
            self._was_sent = self._was_sent and not self.function.permits.is_waiting
            self.function.permits.release()
        if not self.has_finished:
            for load in self.loads:
                error = errors.late(self.loader.name, load.key, seconds, self._was_sent)
                resolve_load(load, error, False)
        self._finish(TimeoutError(f"no answer within {seconds:g} s"))

    def holds(self, load):
        """Returns whether this is the request of a load."""
        return any(load is other for other in self.loads)

    def abandon(self):
        """Notes that one more load was abandoned. Returns whether no coroutine waits for any."""
        self._abandoned += 1
        return self._abandoned >= len(self.loads) and not any(
            load.is_awaited for load in self.loads
        )

    def _finish(self, error):
        if self.has_finished:
            self._finish_flight()
            return
        self._batch.request_finished(self)
        self.has_finished = True
        if self.function is not None:
            self.function.end()
        self._call = None  # It refers to the request.
        self._finish_flight()
        seconds = 0.0
        if self._started is not None:  # Otherwise the function was never called.
            if self._seconds is None:
                self.stop()
            seconds = self._seconds
            self.loader.counter.add(len(self.loads), seconds)
        after_flush = self.loader.settings.after_flush
        if after_flush is not None:
            try:
                after_flush(Flushed(self.keys, seconds, error))
            except Exception:
                # Logged, because the loads already have their values.
                _logger.exception("after_flush of the loader %s has failed", self.loader.name)

    def _finish_flight(self):
        if self._flight is not None:
            self._flight.finish()
