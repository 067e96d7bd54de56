"""`Loader`, and the decorator that makes one."""

import contextvars
import functools
import threading
import types
import weakref

from .._asynq import LoaderBase, Rounds
from ..contexts import AsyncContext
from ..decorators import asynq
from .event_loop import LoopRound, LoopRounds, computed
from .limit import Limit
from .round import RankedRound, Round
from .settings import Settings
from .stats import Counter

__traceback_hide__ = True


class Loader(LoaderBase):
    """A source that is made of a function from many keys to their values.

    `loader(key)` gives the value of one key. `yield loader.asynq(key)` asks for it in an async
    function, `await loader.asyncio(key)` in a coroutine.

    `fn` gets a list of distinct keys, in the order in which they were first asked for. It returns a
    mapping from keys to values, or a sequence with one value for each key; a value that is an
    exception is the error of its key. A key for which nothing comes back gets a `MissingKeyError`.
    If the function fails, each key gets a `LoadError` whose `__cause__` says why. It may be

    - a plain function: it holds the thread, and batches of such functions go one after the other;
    - with `blocking=True`, one that runs on a thread of its own, or an `async def`, which runs on
      an event loop in a thread of its own: these overlap with all others;
    - an `@asynq()` function: what it yields joins later rounds.

    Settings:

    - `name`: what errors and debug output call it; by default the name of the function.
    - `max_batch_size`: the most keys of one call; more go out as further calls of the same round.
    - `cache`: True to keep all values as long as the loader lives, or a mapping to keep them in,
      such as an `Lru`; of a method, only True. See `scope` for the length of one request.
    - `cache_errors`: whether the errors of single keys are kept, too.
    - `default`, or `default_factory()`: what a key gets for which nothing comes back.
    - `priority`: when nothing can run, the batch of the highest is sent first; by default 0.
    - `max_in_flight`: how many of its batches may overlap, if it is an `async def` or blocking.
    - `timeout`: after how many seconds the keys of a batch get a `LoadTimeoutError`.
    - `before_flush(keys)`, `after_flush(flushed)`: called around each batch; see `Flushed`.
    """

    __class_getitem__ = classmethod(types.GenericAlias)

    allow_sync_call = False  # In asyncio mode, as of other async functions.

    def __init__(self, fn, **settings):
        settings = Settings(**settings)
        settings.check_for(fn)
        self._set_up(fn, settings)

    def _set_up(self, fn, settings):
        functools.update_wrapper(self, fn)
        self.__dict__.pop("__wrapped__", None)  # It takes one key, whatever the function takes.
        self.fn = fn
        self.settings = settings
        self.name = settings.name or getattr(fn, "__qualname__", repr(fn))
        self.limit = Limit(settings.max_in_flight) if settings.max_in_flight else None
        self.counter = Counter()
        self._cache = (
            {} if settings.cache is True else None if settings.cache is False else settings.cache
        )
        self._threads = threading.local()
        self._loops = LoopRounds()
        self._everywhere = weakref.WeakSet()
        self._lock = threading.Lock()

    def is_pure_async_fn(self):
        return False

    async def asyncio(self, key):
        """Asks for one key in a coroutine.

        Keys that coroutines of one event loop ask for go together, once a whole turn of the loop
        has brought no new one.
        """
        return await computed(self._load(self._loops.here(self._new_rounds), key))

    @property
    def load_many(self):
        """`load_many(keys)` gives the values of several keys as a list, in their order, or raises
        the first error; `yield loader.load_many.asynq(keys)` in an async function.
        """
        return _load_many.__get__(self)

    def scope(self):
        """A context in which the loader keeps what it loads, apart from what is kept elsewhere.

        For one request: `with user.scope(): ...`. Like every `AsyncContext` it follows the async
        functions that are called inside; so do coroutines.
        """
        with self._lock:
            if self._scope is None:
                self._scope = contextvars.ContextVar(f"scope of {self.name}")
        return _Scope(self._scope)

    def prime(self, key, value):
        """Keeps a value that is known from elsewhere, where something is kept.

        What was sent already for `key`, and may be older, will not be kept.
        """
        cache = self._current_cache
        if cache is not None:
            self._forget_in_flight(key, cache)
            cache[key] = value

    def clear(self, key):
        """Forgets what is kept for `key` here.

        What was sent already, in whatever thread, will not be kept; who asks for it from now on
        has it sent anew.
        """
        cache = self._current_cache
        self._forget_in_flight(key, cache)
        if cache is not None:
            cache.pop(key, None)

    def clear_all(self):
        """Forgets everything that is kept here, as `clear` does for one key."""
        cache = self._current_cache
        for round in self._in_flight():
            for load in round.items:
                round.forget(load.key, cache)
        if cache is not None:
            cache.clear()

    @property
    def stats(self):
        """What it has done so far."""
        return self.counter.stats._replace(hits=self._hits)

    def __set_name__(self, owner, name):
        self.__name__ = name

    def __get__(self, instance, owner=None):
        # Among the methods of a class it is one of them: each instance has a loader of its own.
        if instance is None:
            return self
        if not isinstance(self.settings.cache, bool):
            raise TypeError(
                f"the loader {self.name} is a method, and its cache would mix up the values of all"
                " instances: give it cache=True, by which each instance keeps its own"
            )
        bound = type(self).__new__(type(self))
        bound._set_up(self.fn.__get__(instance, owner), self.settings)
        try:
            return instance.__dict__.setdefault(self.__name__, bound)
        except AttributeError:
            raise TypeError(
                f"the loader {self.name} is a method, and {type(instance).__name__} has no"
                " __dict__ to keep one for each instance"
            ) from None

    def __repr__(self):
        return f"<loader {self.name}>"

    def _rounds(self):
        try:
            return self._threads.rounds
        except AttributeError:
            rounds = self._threads.rounds = self._new_rounds()
            return rounds

    def _new_rounds(self):
        rounds = Rounds()
        with self._lock:
            self._everywhere.add(rounds)
        return rounds

    def _in_flight(self):
        with self._lock:
            everywhere = list(self._everywhere)
        return [round for rounds in everywhere for round in rounds.in_flight]

    def _forget_in_flight(self, key, cache):
        for round in self._in_flight():
            round.forget(key, cache)

    def _open_round(self, rounds):
        if rounds is not self._rounds():
            return LoopRound(self, rounds)
        return (RankedRound if self.settings.priority else Round)(self, rounds)


def loader(fn=None, **settings):
    """Makes a `Loader` of a batch function: `@asynq.loader`, or `@asynq.loader(cache=True, ...)`.

    The settings are those of `Loader`.
    """
    if fn is None:
        return functools.partial(Loader, **settings)
    return Loader(fn, **settings)


class _Scope(AsyncContext):
    def __init__(self, variable):
        self._variable = variable
        self._kept = {}
        self._tokens = []  # More than one, where it is entered inside itself.

    def resume(self):
        self._tokens.append(self._variable.set(self._kept))

    def pause(self):
        self._variable.reset(self._tokens.pop())


@asynq()
def _load_many(self, keys):
    return (yield [self.asynq(key) for key in keys])


@asynq()
def wait_for(load):
    return (yield load)
