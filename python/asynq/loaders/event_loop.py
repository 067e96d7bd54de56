"""Loaders on an event loop: keys that coroutines ask for go together, too."""

import asyncio
import contextlib
import inspect
import weakref

from ..asynq_to_async import NoAsyncioMode
from ..decorators import is_async_fn
from . import limit, workers
from .round import Round

__traceback_hide__ = True


# So many turns of a loop without a new key are enough, where it does not tell whether it is idle.
_PATIENCE = 10


class LoopRounds:
    """The rounds of a loader, by the event loops on which they were asked for."""

    def __init__(self):
        self._rounds = weakref.WeakKeyDictionary()

    def here(self, new):
        """Those of the running loop; made by `new()` where there are none."""
        loop = asyncio.get_running_loop()
        rounds = self._rounds.get(loop)
        if rounds is None:
            rounds = self._rounds[loop] = new()
        return rounds


class Turns:
    """Says when the rounds of an event loop are sent, one after the other.

    That is when nothing else can run there, so that coroutines that get to a loader by ways of
    different lengths meet in one batch.
    """

    def __init__(self, loop):
        self._loop = weakref.ref(loop)  # It is a key of what holds this.
        self._open = []
        self._keys = 0

    @classmethod
    def here(cls):
        loop = asyncio.get_running_loop()
        turns = _turns.get(loop)
        if turns is None:
            turns = _turns[loop] = cls(loop)
        return turns

    def add(self, round):
        """The round is to be sent."""
        self._open.append(round)
        if len(self._open) == 1:
            self._wait()

    def another_key(self):
        self._keys += 1

    def _wait(self, seen=-1, quiet=0):
        self._loop().call_soon(self._turn, seen, quiet)

    def _turn(self, seen, quiet):
        ready = what_can_run(self._loop())
        if ready or (ready is None and quiet < _PATIENCE):
            quiet = 0 if self._keys > seen else quiet + 1
            if quiet < _PATIENCE:
                self._wait(self._keys, quiet)
                return
        best = max(self._open, key=lambda round: round.loader.settings.priority)
        self._open.remove(best)
        best.start()
        if self._open:
            self._wait()


_turns = weakref.WeakKeyDictionary()


def what_can_run(loop):
    """What runs next on a loop of asyncio; None if it is one that does not tell."""
    return getattr(loop, "_ready", None)


class LoopRound(Round):
    """The batch of a loader on an event loop."""

    __slots__ = ("_around", "_fetching", "_loop")

    def __init__(self, loader, rounds):
        super().__init__(loader, rounds)
        self._around = workers.Surroundings()
        self._loop = asyncio.get_running_loop()
        Turns.here().add(self)

    def start(self):
        """Sends it."""
        self.rounds.close(self)
        self.rounds.start(self)
        parts = self.parts()
        self._fetching = [self._around.start(self._fetch(part)) for part in parts]
        if not parts:
            self._complete()

    async def _fetch(self, part):
        try:
            part.begin()
            async with _permitted(limit.permits(self.loader.limit), self._loop):
                # Not by `wait_for`, which waits for one that does not let itself be cancelled, and
                # whose error could be the function's own.
                call = self._around.start(self._call(part.keys))
                try:
                    await asyncio.wait([call], timeout=self.loader.settings.timeout)
                finally:
                    is_late = call.cancel()
                if is_late:
                    part.late()
                    return
                answer = call.result()
        except GeneratorExit:
            raise  # The loop is gone, and with it whoever waits.
        except BaseException as error:
            part.fail(error)
        else:
            part.deliver(answer)

    async def _call(self, keys):
        loader = self.loader
        if is_async_fn(loader.fn):
            return await loader.fn.asyncio(keys)
        if loader.settings.blocking:
            # Its own: two threads cannot be in one context at once.
            around = workers.Surroundings()
            return await asyncio.wrap_future(workers.threads.submit(around.run, loader.fn, keys))
        with NoAsyncioMode():
            answer = loader.fn(keys)
        return await answer if inspect.isawaitable(answer) else answer


@contextlib.asynccontextmanager
async def _permitted(permits, loop):
    permitted = loop.create_future()

    def begin():
        try:
            loop.call_soon_threadsafe(lambda: permitted.done() or permitted.set_result(None))
        except RuntimeError:
            permits.release()  # The loop was closed meanwhile.

    permits.acquire(begin)
    try:
        await permitted
        yield
    finally:
        permits.release()


async def computed(load):
    """Waits until a load has its value or error, and gives that."""
    Turns.here().another_key()
    if not load.is_computed():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake(_):
            if not (future.done() or loop.is_closed()):
                future.set_result(None)

        load.on_computed.subscribe(wake)
        await future
    return load.value()
