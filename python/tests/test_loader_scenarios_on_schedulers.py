"""The scenarios of all implementations of loaders, here on the scheduler of a thread.

Loads of a thread cannot be given up, and its rounds are sent only when nothing else can run: there
is no cancellation, `max_delay` or `hold`. A function on another thread or event loop shares no
round with the thread.
"""

import asyncio
import time

import pytest
from loader_scenarios import LET_RUN, SCENARIOS, Face, Waiter, read_answer, read_stats, stats_of

import asynq


def is_for_schedulers(scenario):
    verbs = {action.verb for action in scenario.actions}
    if verbs & {"cancel", "busy"} or scenario.settings.keys() & {"max_delay", "hold"}:
        return False
    return scenario.title != "a function that joins a round which waits for a permit lends its own"


each_scenario = pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if is_for_schedulers(scenario)],
    ids=lambda scenario: scenario.title,
)


class Done(BaseException):
    """Ends the call in which the scenario runs, whatever else waits in it."""


class Orders:
    """The orders to one call of an `@asynq()` function."""

    def __init__(self):
        self._orders = []
        self._next = None

    def put(self, order):
        if self._next is None:
            self._orders.append(order)
        else:
            future, self._next = self._next, None
            future.set_value(order)

    def next(self):
        if self._orders:
            return asynq.ConstFuture(self._orders.pop(0))
        self._next = asynq.FutureBase()
        return self._next


class OrdersOnLoop:
    """The orders to one call of an `async def` function."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._orders = asyncio.Queue()

    def put(self, order):
        self._loop.call_soon_threadsafe(self._orders.put_nowait, order)

    def next(self):
        return self._orders.get()


class OnScheduler(Face):
    """Loads are those of one call, and the scenario is a task in it.

    The batch function is an `@asynq()` function, which can load keys in the same thread, or if it
    has to wait for permits or be cancelled an `async def` function.
    """

    def __init__(self, settings, clock):
        self.is_coroutine = bool(settings.keys() & {"max_in_flight", "timeout"})
        super().__init__(self._coroutine if self.is_coroutine else self._task, settings)
        self._clock = clock
        self._orders = []
        self._new = asynq.FutureBase()  # The next loads.
        self._quiet = asynq.Loader(list, priority=-1)
        self._ticks = asynq.Loader(self._tick, blocking=True, priority=-1)
        self.failure = None

    def _tick(self, keys):
        time.sleep(0.002)
        return keys

    def _begin(self, keys, orders):
        self._orders.append(orders)
        self.log.append(f"call {len(self._orders)}: {' '.join(map(str, keys))}")
        return len(self._orders), orders

    @asynq.asynq()
    def _task(self, keys):
        _, orders = self._begin(keys, Orders())
        while True:
            verb, argument = yield orders.next()
            if verb == "answer":
                return argument
            if verb == "fail":
                raise ValueError(argument)
            yield self._wait.asynq(self._new_waiter(argument))

    async def _coroutine(self, keys):
        number, orders = self._begin(keys, OrdersOnLoop())
        try:
            while True:
                verb, argument = await orders.next()
                if verb == "answer":
                    return argument
                if verb == "fail":
                    raise ValueError(argument)
                waiter = self._new_waiter(argument)
                waiter.set_value(await self.loader.asyncio(argument))
        except asyncio.CancelledError:
            self.log.append(f"cancelled {number}")
            raise

    def _new_waiter(self, key):
        self.waiters.append(Waiter(key))
        return self.waiters[-1]

    @asynq.asynq()
    def _wait(self, waiter):
        try:
            waiter.set_value((yield self.loader.asynq(waiter.key)))
        except Exception as error:
            waiter.set_error(error)

    @asynq.asynq()
    def _wait_for_all(self, new):
        """Waits for the loads of each action, as they come."""
        waiters, later = yield new
        tasks = [self._wait.asynq(waiter) for waiter in waiters]
        yield [*tasks, self._wait_for_all.asynq(later)]

    def _act(self, verb, rest):
        if verb == "load":
            new, self._new = self._new, asynq.FutureBase()
            new.set_value(([self._new_waiter(int(key)) for key in rest.split()], self._new))
        elif verb in ("answer", "fail", "ask"):
            number, text = rest.split(": ")
            argument = {"answer": read_answer, "fail": str, "ask": int}[verb](text)
            self._orders[int(number) - 1].put((verb, argument))
        elif verb == "pass":
            self._clock.now += int(rest) / 1000
        else:
            self.act_at_once(verb, rest)

    @asynq.asynq()
    def _settle(self, expected):
        """Waits until nothing can run any more."""
        yield self._quiet.asynq(object())
        if not self.is_coroutine:
            return
        for _ in range(5000):
            events = len(self.log) + sum(waiter.event is not None for waiter in self.waiters)
            if events >= expected:
                break
            yield self._ticks.asynq(object())
        for _ in range(3):  # In which nothing else comes.
            yield self._ticks.asynq(object())

    @asynq.asynq()
    def _drive(self, scenario):
        try:
            for number, action in enumerate(scenario.actions, 1):
                if action.verb == "stats":
                    assert stats_of(self.loader) == read_stats(action.rest), number
                    continue
                self._act(action.verb, action.rest)
                if action.verb in LET_RUN:
                    yield self._settle.asynq(len(action.events))
                assert self.take_events() == action.events, number
        except Exception as failure:
            self.failure = failure
        raise Done

    @asynq.asynq()
    def run(self, scenario):
        yield self._drive.asynq(scenario), self._wait_for_all.asynq(self._new)

    def end(self):
        for orders in self._orders:
            orders.put(("fail", "the test is over"))


class Clock:
    """Stands for `time.monotonic`."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@each_scenario
def test_a_scenario_holds_on_a_scheduler(scenario, monkeypatch):
    clock = Clock()
    if "timeout" in scenario.settings:
        monkeypatch.setattr(time, "monotonic", clock.monotonic)
    face = OnScheduler(scenario.settings, clock)
    with pytest.raises(Done):
        face.run(scenario)
    face.end()
    if face.failure is not None:
        raise face.failure
