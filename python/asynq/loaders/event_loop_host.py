"""The loads of a loader on an event loop."""

import asyncio

from .._asynq import LoaderHost, call_until_done

__traceback_hide__ = True


class EventLoopHost(LoaderHost):
    """The loads of a loader on an event loop. The scheduler of the loop flushes its batches.

    - `opener`: the active task and the `RunningFunction` of the code that has opened the round, and
      its context if the loader sees that of its callers;
    - `is_nested`: True if a batch function waits for a key of the round.
    """

    __slots__ = ("is_held", "is_nested", "opener")

    def __init__(self, *args, **settings):
        self.opener = None, None, None
        self.is_nested = False
        self.is_held = False

    def nest(self):
        """Notes that a batch function waits for a key that was not sent."""
        self.is_nested = True
        for request in self.waiting:
            request.nest()

    # A signal handler may raise at any line of these, and then they are called again.

    def end_round(self, loader):
        """Forgets who has opened the round, which was sent, unless the loader holds it."""
        deadline = self.round_deadline
        if deadline is None:
            self.opener = None, None, None
            self.is_nested = False
        elif not self.is_held:
            loop = asyncio.get_running_loop()
            loop.call_at(deadline, call_until_done, self._end_hold, loader)
            self.is_held = True

    def _end_hold(self, loader):
        self.is_held = False
        self.send(loader)
        self.end_round(loader)
