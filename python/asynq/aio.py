"""Calls from asyncio, and event loops that know when nothing else can run.

`f.asyncio(x)` and `loader.asyncio(key)` return an `AsyncioCall`. On a running event loop it begins
at once, and it can be awaited any number of times:

>>> import asyncio
>>> import asynq
>>> @asynq.loader
... def user(ids):
...     print("loading", ids)
...     return {id: f"user {id}" for id in ids}
>>> async def main():
...     first, second = user.asyncio(1), user.asyncio(2)
...     return await first, await second
>>> asyncio.run(main())
loading [1, 2]
('user 1', 'user 2')

A batch is flushed when nothing else on the loop can run. The loops of asyncio show that, but not in
a documented way, and uvloop does not. The loops that `new_event_loop` makes tell it themselves:

    with asyncio.Runner(loop_factory=asynq.aio.new_event_loop) as runner:
        runner.run(main())
"""

import asyncio
import selectors

from ._asynq import AsyncioCall

__all__ = ["AsyncioCall", "EventLoop", "new_event_loop"]

__traceback_hide__ = True


class _IdleSelector(selectors.DefaultSelector):
    """A selector that calls functions before it waits: then, its loop has nothing to run."""

    def __init__(self):
        super().__init__()
        self.functions = []

    def select(self, timeout=None):
        if timeout == 0 or not self.functions:
            return super().select(timeout)
        functions, self.functions = self.functions, []
        for function in functions:
            function()
        return super().select(0)


class EventLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio that tells when nothing else can run."""

    def __init__(self):
        self._idle_selector = _IdleSelector()
        self._is_idle = False
        self._idle_callbacks = []
        super().__init__(self._idle_selector)

    def call_when_idle(self, callback):
        """Calls `callback()` once, when nothing else on the loop can run."""
        if callback not in self._idle_callbacks:
            self._idle_callbacks.append(callback)
        if not self._idle_selector.functions:
            self._idle_selector.functions.append(self._schedule_idle)

    def is_idle(self):
        """Returns whether a callback of `call_when_idle` runs."""
        return self._is_idle

    def _schedule_idle(self):
        self.call_soon(self._run_idle)

    def _run_idle(self):
        callbacks, self._idle_callbacks = self._idle_callbacks, []
        self._is_idle = True
        try:
            for callback in callbacks:
                callback()
        finally:
            self._is_idle = False


def new_event_loop(uvloop=None):
    """Returns a new event loop that tells when nothing else can run.

    With `uvloop`, the module of that name, it is a loop of uvloop.
    """
    return EventLoop() if uvloop is None else _uvloop_class(uvloop)()


def _uvloop_class(uvloop):
    class UvloopEventLoop(uvloop.Loop):
        """A loop of uvloop that counts the callbacks of its turns."""

        _calls = 0
        _calls_before = -1

        def call_soon(self, callback, *args, context=None):
            self._calls += 1
            return super().call_soon(callback, *args, context=context)

        def is_idle(self):
            """Returns whether only the caller has scheduled a callback since it has last asked."""
            before, self._calls_before = self._calls_before, self._calls
            return self._calls <= before + 1

    return UvloopEventLoop
