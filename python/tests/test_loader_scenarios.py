"""The scenarios of all implementations of loaders, here on schedulers and event loops."""

import asyncio

import pytest
from loader_scenarios import LET_RUN, SCENARIOS, Face, Waiter, read_answer, read_stats, stats_of

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose time passes when the test says so."""

    now = 0.0

    def time(self):
        return self.now


class OnEventLoop(Face):
    """Each load is a coroutine of its own, as in a server."""

    def __init__(self, settings):
        super().__init__(self._load_all, settings)
        self._orders = []  # A queue for each call of the function.

    async def _load_all(self, keys):
        orders = asyncio.Queue()
        self._orders.append(orders)
        number = len(self._orders)
        self.log.append(f"call {number}: {' '.join(map(str, keys))}")
        try:
            while True:
                verb, argument = await orders.get()
                if verb == "answer":
                    return argument
                if verb == "fail":
                    raise ValueError(argument)
                await self._wait(self._new_waiter(argument))
        except asyncio.CancelledError:
            self.log.append(f"cancelled {number}")
            raise

    def _new_waiter(self, key):
        self.waiters.append(Waiter(key))
        return self.waiters[-1]

    async def _wait(self, waiter):
        try:
            waiter.set_value(await self.loader.asyncio(waiter.key))
        except Exception as error:
            waiter.set_error(error)

    async def act(self, verb, rest):
        """Performs an action. Returns its events."""
        if verb == "load":
            for key in rest.split():
                waiter = self._new_waiter(int(key))
                waiter.task = asyncio.ensure_future(self._wait(waiter))
            await asyncio.sleep(0)  # They begin to wait, and the loop is not idle.
        elif verb == "cancel":
            self.take_waiter(int(rest)).task.cancel()
        elif verb in ("answer", "fail", "ask"):
            number, text = rest.split(": ")
            argument = {"answer": read_answer, "fail": str, "ask": int}[verb](text)
            self._orders[int(number) - 1].put_nowait((verb, argument))
        elif verb == "busy":
            for _ in range(int(rest)):
                asyncio.get_running_loop().now += 0.001
                await asyncio.sleep(0)
        elif verb == "pass":
            asyncio.get_running_loop().now += int(rest) / 1000
        else:
            self.act_at_once(verb, rest)
        if verb in LET_RUN:
            await self._run()
        return self.take_events()

    async def _run(self):
        """Lets everything run, until nothing can run any more."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def run(self, scenario):
        for number, action in enumerate(scenario.actions, 1):
            if action.verb == "stats":
                assert stats_of(self.loader) == read_stats(action.rest), number
            else:
                assert await self.act(action.verb, action.rest) == action.events, number
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await self._run()


@each_scenario
def test_a_scenario_holds_on_an_event_loop(scenario):
    loop = VirtualTime()
    try:
        loop.run_until_complete(OnEventLoop(scenario.settings).run(scenario))
    finally:
        loop.close()
