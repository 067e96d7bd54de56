"""How the keys that a loader asks for together are sent, and what comes back is given to them."""

import inspect
import itertools
import logging
import time
from concurrent.futures import Future

from .._asynq import RoundBase, complete_flight, deliver, resolve_load, start_flight
from ..decorators import asynq, is_async_fn
from . import errors, limit, workers
from .flights import Flight
from .settings import NOTHING
from .stats import Flushed

__traceback_hide__ = True

_logger = logging.getLogger(__name__)


class Round(RoundBase):
    """The batch of a loader. `rounds` has those of its thread, or of its event loop."""

    __slots__ = ("_unanswered", "flights", "loader", "rounds")

    def __init__(self, loader, rounds):
        self.loader = loader
        self.rounds = rounds
        self.flights = []
        self._unanswered = 0

    def parts(self):
        """What is to be sent of it, in batches of the size that is allowed."""
        loads, keys = self.begin()
        size = self.loader.settings.max_batch_size or max(len(loads), 1)
        parts = [
            Part(self, loads[start : start + size], keys[start : start + size])
            for start in range(0, len(loads), size)
        ]
        self._unanswered = len(parts)
        return parts

    def answered(self):
        """One of its parts has ended."""
        self._unanswered -= 1
        if not self._unanswered and self in self.rounds.in_flight:
            self._complete()

    def _complete(self):
        self.rounds.complete(self)
        complete_flight(self)

    def _try_switch_active_batch(self):
        self.rounds.close(self)

    def _flush(self):
        parts = self.parts()
        flush_task = None
        if is_async_fn(self.loader.fn):
            flush_task = _carry.asynq(parts)
        else:
            for part in parts:
                part.send()
        if self._unanswered:
            self.rounds.start(self)
            start_flight(self, flush_task)

    def __str__(self):
        return f"loader {self.loader.name} ({len(self.items)} keys)"


class RankedRound(Round):
    """One whose loader has a priority."""

    __slots__ = ()

    def get_priority(self):
        return (self.loader.settings.priority, len(self.items))


class Part:
    """No more keys than a batch may have."""

    def __init__(self, round, loads, keys):
        self.loader = round.loader
        self.keys = keys
        self._round = round
        self._loads = loads
        self._began = None
        self._flight = None
        self._has_ended = False

    def begin(self):
        """What comes before the call of the batch function."""
        self._began = time.perf_counter()
        if self.loader.settings.before_flush is not None:
            self.loader.settings.before_flush(self.keys)

    def send(self):
        """Calls a batch function that is no async function of ours."""
        loader, keys = self.loader, self.keys
        try:
            self.begin()
            if loader.settings.blocking:
                around = workers.Surroundings()
                self._fly(lambda: workers.threads.submit(around.run, loader.fn, keys))
                return
            answer = loader.fn(keys)
        except BaseException as error:
            self.fail(error)
            return
        if inspect.iscoroutine(answer):
            around = workers.Surroundings()
            self._fly(lambda: workers.loop.submit(around, answer))
        else:
            self.deliver(answer)

    def _fly(self, start):
        permits = limit.permits(self.loader.limit)
        flight = self.look_out(permits)

        def begin():
            # In whatever thread has given the permit back: an error is for the one that waits.
            try:
                future = start()
            except BaseException as error:
                future = Future()
                future.set_exception(error)
            flight.begin(future)
            future.add_done_callback(lambda _: permits.release())

        permits.acquire(begin)

    def look_out(self, permits=None):
        """Has the scheduler of this thread look out for the answer."""

        def late():
            if permits is not None:
                permits.release()
            self.late()

        self._flight = Flight(self._arrived, late, self.loader.settings.timeout)
        self._round.flights.append(self._flight)
        return self._flight

    def _arrived(self, future):
        try:
            answer = future.result()
        except workers.Interrupt as interrupt:
            self.fail(interrupt.error)
        except BaseException as error:
            self.fail(error)
        else:
            self.deliver(answer)

    def deliver(self, answer):
        """Gives the loads what the batch function has returned."""
        if self._has_ended:
            return
        keeps_errors = self.loader.settings.cache_errors
        try:
            missing = deliver(self._loads, answer, keeps_errors)
            if missing:
                for load, value in zip(missing, self._instead(missing, answer)):
                    resolve_load(load, value, keeps_errors)
        except BaseException as error:
            self.fail(error)
        else:
            self._end(None)

    def _instead(self, missing, answer):
        """What loads get for which nothing has come back."""
        settings = self.loader.settings
        if settings.default_factory is not None:
            return (settings.default_factory() for _ in missing)
        if settings.default is not NOTHING:
            return itertools.repeat(settings.default)
        return errors.missing(self.loader.name, [load.key for load in missing], answer)

    def fail(self, error):
        """The batch has failed: so have its loads. That is not kept: it is no fault of a key."""
        if self._has_ended:
            return
        for load in self._loads:
            resolve_load(load, errors.failed(self.loader.name, load.key, error), False)
        self._end(error)
        if not isinstance(error, Exception):
            raise error  # An interrupt ends the call at once, whatever else that waits for.

    def late(self):
        """There is no answer in time."""
        if self._has_ended:
            return
        seconds = self.loader.settings.timeout
        for load in self._loads:
            resolve_load(load, errors.late(self.loader.name, load.key, seconds), False)
        self._end(TimeoutError(f"no answer within {seconds:g} s"))

    def _end(self, error):
        self._has_ended = True
        seconds = time.perf_counter() - self._began
        if self._flight is not None:
            self._flight.end()
        self.loader.counter.add(len(self._loads), seconds)
        self._round.answered()
        after_flush = self.loader.settings.after_flush
        if after_flush is not None:
            try:
                after_flush(Flushed(self.keys, seconds, error))
            except Exception:
                # Its batch went well.
                _logger.exception("the after_flush of the loader %s has failed", self.loader.name)


@asynq()
def _carry(parts):
    """Sends parts whose batch function is an async function of ours: it joins later rounds."""
    yield [_fetch.asynq(part) for part in parts]


@asynq()
def _fetch(part):
    try:
        part.begin()
        if part.loader.settings.timeout is not None:
            part.look_out().begin()
        answer = yield part.loader.fn.asynq(part.keys)
    except BaseException as error:
        part.fail(error)
    else:
        part.deliver(answer)
