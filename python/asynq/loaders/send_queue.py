"""The rounds of the loaders of an event loop, and the moment at which each one is sent."""

import asyncio
import weakref

from .._asynq import LoaderHost, call_until_done
from .running_function import wait_until_resolved

__traceback_hide__ = True


# Iterations without a new key after which a round is sent, on loops that do not show if they are
# idle.
_QUIET_ITERATIONS = 10


class PerLoop:
    """An object for each event loop, which lives as long as the loop."""

    def __init__(self, new):
        self._new = new
        self._others = weakref.WeakKeyDictionary()

    def of_running_loop(self):
        """Returns the object of the running loop, made by `new()` on first use."""
        loop = asyncio.get_running_loop()
        # In an attribute, since the object may refer to the loop: an entry of a WeakKeyDictionary
        # would then keep the loop alive.
        try:
            objects = loop._asynq_objects
        except AttributeError:
            try:
                objects = loop._asynq_objects = weakref.WeakKeyDictionary()
            except AttributeError:
                return _get_or_make(self._others, loop, self._new)
        return _get_or_make(objects, self, self._new)


def _get_or_make(objects, key, new):
    found = objects.get(key)
    return objects.setdefault(key, new()) if found is None else found


class EventLoopHost(LoaderHost):
    """The loads of a loader on an event loop.

    - `caller`: the `CallerContext` of the coroutine that has opened the round;
    - `is_nested`: True if a batch function waits for a key of the round.
    """

    __slots__ = ("caller", "is_nested")

    def __init__(self, *args, **settings):
        self.end_round()

    def nest(self):
        """Notes that a batch function waits for a key that was not sent."""
        self.is_nested = True
        for request in self.waiting:
            request.nest()

    def end_round(self):
        """Forgets who has opened the round, since it was sent."""
        self.caller = None
        self.is_nested = False


class SendQueue:
    """The open rounds of an event loop, which are sent one after the other.

    A round is sent when nothing else can run on the loop. Coroutines that reach a loader after
    different numbers of steps then meet in one round. If something else can run all the time, it is
    sent when its first key has waited for the `max_delay` of the loader.
    """

    def __init__(self):
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._open = {}  # The loaders, by their hosts.
        self._keys = 0
        self._is_checking = False
        self._held = set()  # Hosts whose round is held, until their deadline.

    def add(self, loader, host):
        """Adds the open round of a loader, to be sent later."""
        self._open.setdefault(host, loader)
        self._check_later()

    def count_key(self):
        """Records that a coroutine has asked for a key: the loop is not quiet."""
        self._keys += 1

    def _check_later(self, seen=-1, quiet=0):
        if not self._is_checking:
            self._loop().call_soon(call_until_done, self._check, seen, quiet)
            self._is_checking = True

    # A signal handler may raise at any line of this, and then it is called again.
    def _check(self, seen, quiet):
        self._is_checking = False
        try:
            self._send_late()
            ready = ready_callbacks(self._loop())
            if self._open and (ready or (ready is None and quiet < _QUIET_ITERATIONS)):
                quiet = 0 if self._keys > seen else quiet + 1
                if quiet < _QUIET_ITERATIONS:
                    self._check_later(self._keys, quiet)
                    return
            if self._open:
                self._send(max(self._open, key=self._priority))
        finally:
            if self._open:
                self._check_later()

    def _priority(self, host):
        return self._open[host].settings.priority

    def _send_late(self):
        """Sends the rounds that cannot wait until nothing else can run."""
        now = None
        for host in list(self._open):
            deadline = host.round_deadline
            if deadline is not None:
                now = self._loop().time() if now is None else now
                if deadline <= now:
                    self._send(host)

    def _send(self, host):
        loader = self._open[host]
        host.send(loader)
        self._open.pop(host, None)
        deadline = host.round_deadline
        if deadline is None:
            host.end_round()
        elif host not in self._held:  # It stays open for the `hold` of the loader.
            self._loop().call_at(deadline, call_until_done, self._end_hold, loader, host)
            self._held.add(host)

    def _end_hold(self, loader, host):
        self._held.discard(host)
        self.add(loader, host)


_queues = PerLoop(SendQueue)


def send_queue():
    """Returns the queue of the running event loop."""
    return _queues.of_running_loop()


def ready_callbacks(loop):
    """Returns the callbacks that run next on a loop, or None for loops that do not show them."""
    return getattr(loop, "_ready", None)


async def load_on(host, loader, key):
    """Returns the value of a key, or raises its error."""
    load = None
    try:
        load = loader._load(host, key)
        if not load.is_computed():
            send_queue().count_key()
            await wait_until_resolved(load, asyncio.get_running_loop())
    except GeneratorExit:
        raise  # The loop is closed.
    except BaseException:
        if load is not None:
            host.cancel(load)
        raise
    return load.value()
