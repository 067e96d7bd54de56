"""One call of a batch function, and the delivery of its answer to the loads."""

import inspect
import itertools
import logging
import time
from concurrent.futures import Future

from .._asynq import Flight, deliver, resolve_load
from . import errors, limit
from .caller_context import CallerContext
from .event_loop_thread import InterruptError, event_loop_thread
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
        self._loads = loads
        self._started = None
        self._flight = self._future = self._permits = None
        self._has_finished = False

    def start(self):
        """Starts the clock, and calls `before_flush`. Must precede the call of the function."""
        self._started = time.perf_counter()
        if self.loader.settings.before_flush is not None:
            self.loader.settings.before_flush(self.keys)

    def send(self):
        """Calls the batch function, unless it is an `@asynq()` function."""
        loader, keys = self.loader, self.keys
        try:
            self.start()
            if loader.settings.blocking:
                caller = CallerContext()
                self._submit(lambda: thread_pool.submit(caller.run, loader.fn, keys))
                return
            answer = loader.fn(keys)
        except BaseException as error:
            self.fail(error)
            return
        if inspect.iscoroutine(answer):
            caller = CallerContext()
            self._submit(lambda: event_loop_thread.submit(caller, answer))
        else:
            self.deliver(answer)

    def _submit(self, submit):
        """Calls `submit()`, which returns a future of the answer, once there is a permit."""
        self._permits = permits = limit.permits(self.loader.limit)
        flight = self.watch()

        def begin():
            # Runs in the thread that releases the permit, so an error must not escape here.
            try:
                future = submit()
            except BaseException as error:
                future = Future()
                future.set_exception(error)
            self._future = future
            flight.start_timeout()
            future.add_done_callback(lambda _: permits.release())
            future.add_done_callback(lambda _: _answer(flight, future))

        permits.acquire(begin)

    def watch(self):
        """Makes the scheduler of this thread wait for the answer. Returns the new flight."""
        self._flight = Flight(self, self.loader.settings.timeout)
        self._batch.watch(self._flight)
        return self._flight

    def expire(self):
        """Cancels the request, whose deadline has passed, and fails all loads."""
        if self._future is not None:
            self._future.cancel()
        if self._permits is not None:
            self._permits.release()
        self.time_out()

    def deliver(self, answer):
        """Resolves the loads with the values that the batch function has returned."""
        if self._has_finished:
            self._end_flight()
            return
        keeps_errors = self.loader.settings.cache_errors
        try:
            missing = deliver(self._loads, answer, keeps_errors)
            if missing:
                for load, value in zip(missing, self._substitutes(missing, answer)):
                    resolve_load(load, value, keeps_errors)
        except BaseException as error:
            self.fail(error)
        else:
            self._finish(None)

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
        if self._has_finished:
            self._end_flight()
            return
        for load in self._loads:
            resolve_load(load, errors.failed(self.loader.name, load.key, error), False)
        self._finish(error)
        if not isinstance(error, Exception):
            raise error  # A KeyboardInterrupt or SystemExit ends the synchronous call at once.

    def time_out(self):
        """Fails all loads, because the answer is late."""
        if self._has_finished:
            self._end_flight()
            return
        seconds = self.loader.settings.timeout
        for load in self._loads:
            resolve_load(load, errors.late(self.loader.name, load.key, seconds), False)
        self._finish(TimeoutError(f"no answer within {seconds:g} s"))

    def _finish(self, error):
        self._has_finished = True
        seconds = time.perf_counter() - self._started
        self.loader.counter.add(len(self._loads), seconds)
        self._end_flight()
        after_flush = self.loader.settings.after_flush
        if after_flush is not None:
            try:
                after_flush(Flushed(self.keys, seconds, error))
            except Exception:
                # Logged, because the loads already have their values.
                _logger.exception("after_flush of the loader %s has failed", self.loader.name)

    def _end_flight(self):
        """Lets the scheduler go on. It calls this again if a signal handler interrupts it."""
        self._batch.request_finished(self)
        if self._flight is not None:
            self._flight.finish()


def _answer(flight, future):
    """Gives a flight the answer of a future that is done."""
    try:
        answer = future.result()
    except InterruptError as interrupt:
        flight.set_error(interrupt.error)
    except BaseException as error:
        flight.set_error(error)
    else:
        flight.set_answer(answer)
