"""`Loader`, and the decorator `loader` that creates one."""

import asyncio
import contextlib
import contextvars
import functools
import inspect
import types
import typing
import weakref
from collections.abc import Mapping

from .._asynq import (
    LoaderBase,
    LoaderBatch,
    LoaderHost,
    call_as_methods,
    enter_asyncio_mode,
    get_active_task,
    is_asyncio_mode,
)
from .._forgotten import stands_for
from .._function_attributes import InstanceAttribute, call_form
from .._inspection import is_async_fn, is_coroutine_function
from .._scheduler_local import GreenletLocal, LoopLocal
from ..decorators import asynq
from . import errors
from .batch import PrioritizedBatch
from .cache_claim import claim_cache
from .event_loop_host import EventLoopHost
from .event_loop_request import EventLoopRequest
from .group import Group
from .limit import new_limit
from .request import Request
from .running_function import running_function
from .scope import LoaderScope, Scopes
from .settings import Settings
from .stats import Stats
from .variants import find_variant
from .weak_objects import WeakObjects

__traceback_hide__ = True


class _SetByInit:
    """An attribute that `Loader.__init__` sets.

    Not a `__getattr__` of the class, with which the interpreter takes longer to look up `asynq`.
    """

    def __get__(self, instance, owner=None):
        if instance is None:
            raise AttributeError
        cls = type(instance).__name__
        raise TypeError(f"{cls}.__init__() must call super().__init__(fn, **settings)")


class Loader(LoaderBase):
    """Loads values by key, with one call of the batch function `fn` for many keys.

    `loader(key)` returns the value of a key. `yield loader.asynq(key)` loads it in an async
    function, and `await loader.asyncio(key)` in a coroutine.

    `fn` gets a list of distinct keys, in the order in which they were first asked for. It returns a
    mapping from keys to values, or a sequence with one value per key. A value that is an exception
    is the error of its key. A key that is missing from the mapping gets a `MissingKeyError`. If
    `fn` fails, each key gets a `LoadError` with the original error as its `__cause__`.

    `fn` is one of these:

    - a plain function: it blocks the thread, so calls of plain functions never overlap;
    - with `blocking=True`, a function that runs on a worker thread;
    - an `async def` function: it runs on an event loop in a background thread;
    - an `@asynq()` function: it runs as a task, and the futures it yields join later batches.

    Calls of all but plain functions overlap with other requests.

    Settings:

    - `name`: name in errors and debug output. Default: the name of the function.
    - `max_batch_size`: maximum number of keys per call. A batch with more keys is sent in several
      calls.
    - `cache`: True to cache values as long as the loader lives, or a mapping that holds the cached
      values, such as an `Lru`. A loader that is a method accepts only True. To cache values for one
      request, see `asynq.request`; False: never, there neither.
    - `per`: what the values depend on besides the keys, such as a tenant: a `ContextVar`, an
      `AsyncScopedValue`, a function without parameters, or several of them. Each value has
      batches and a cache of its own, and `fn` sees that value.
    - `across_requests`: True to share batches and the cache between requests, also inside of
      `asynq.request`.
    - `group`: a `Group`, whose loaders share a scope and a limit. For methods, also a function of
      the instance that returns its group, called once for each loader of an instance.
    - `cache_errors`: True to cache errors of single keys, too, or a function of an error that
      returns whether to cache it. Each load gets a copy of a cached error.
    - `key`: function that returns a hashable value for each key, for keys that cannot be hashed.
      Keys with equal values are equal; the values are also the keys of the cache and of the mapping
      that `fn` returns.
    - `default`, or `default_factory()`: value of keys that are missing from the answer.
    - `priority`: when nothing can run, the scheduler flushes the batch with the highest priority
      first. Default: 0.
    - `max_in_flight`: maximum number of concurrent calls, for `async def` and blocking functions.
    - `timeout`: seconds after which the keys of a call fail with a `LoadTimeoutError`, for all but
      plain functions.
    - `executor`: executor that runs a blocking function, such as a `ThreadPoolExecutor`, instead of
      the threads that all loaders share.
    - `max_delay`: on an event loop, seconds after which a key is sent at the latest, whatever else
      can run; by default 0.01, or `hold` if that is longer. A round with `max_batch_size` keys is
      then sent at once, too. None: a round is sent when nothing else can run, and not before.
    - `hold`: on an event loop, seconds for which a round stays open after its first key, although
      nothing else can run, so that other coroutines can join it. Default: none.
    - `before_flush(keys)`: called immediately before each call of `fn`, in its thread.
    - `after_flush(flushed)`: called when the keys of a call have their values; see `Flushed`.

    Raises `TypeError` or `ValueError` for invalid settings.
    """

    __class_getitem__ = classmethod(types.GenericAlias)

    allow_sync_call = False  # On event loops, as for other async functions.

    _variants = None
    # Of a variant: functions to call in its context, and weak references to what it ends with.
    _restorers = ()
    _ends = None

    settings = name = group = _values = _SetByInit()
    _schedulers = _loops = _hosts = _counted_hosts = _SetByInit()

    # The function is a plain one, and returns a coroutine on event loops.
    _returns_coroutines = False

    # All callers belong to one request, whose context variables the function sees.
    _is_of_one_request = False

    # Send keys whose coroutines were all cancelled, because they are writes.
    _sends_unawaited = False

    def __init__(self, fn, **settings):
        if "settings" in self.__dict__:
            raise RuntimeError(f"the loader {self.name} cannot be initialized again")
        settings = Settings.parse(settings)
        if isinstance(fn, (classmethod, staticmethod)):
            self._bind_otherwise(to_class=isinstance(fn, classmethod))
            fn = fn.__func__
        settings.check_for(fn, self._returns_coroutines)
        # Without the attributes of `fn`, which could hide methods of the loader, like `list.clear`.
        functools.update_wrapper(self, fn, updated=())
        del self.__wrapped__  # The loader has other parameters than the function.
        if getattr(fn, "__isabstractmethod__", False):
            self.__isabstractmethod__ = True
        self.fn = fn
        self.is_coroutine_function = is_coroutine_function(fn)
        self.is_asynq_function = is_async_fn(fn)
        self.settings = settings
        self.group = settings.group if isinstance(settings.group, Group) else None
        self.name = settings.name or getattr(fn, "__qualname__", repr(fn))
        self.per = settings.per
        self._values = self._request = None
        self._context = contextvars.copy_context()
        if is_asyncio_mode():
            self._context.run(enter_asyncio_mode, False)  # Batch functions may call synchronously.
        self._set_up_core()

    def _set_up_core(self):
        settings = self.settings
        self.limit = new_limit(settings.max_in_flight)
        self.group_limit = None if self.group is None else self.group.limit
        if settings.has_mapping:
            self._cache = settings.cache
            claim_cache(self)
        else:
            self._cache = {} if settings.cache else None
        if self.group is not None:
            self._scope = Scopes(self.group)
            self.group.add(self)
        self._counted_hosts = WeakObjects()
        if self.per:
            self._vary_by(self.per.sources)
        elif settings.across_requests:
            self._vary_never()
        self._set_up_hosts()

    def _set_up_hosts(self):
        self._key_function = self.settings.key
        self._hosts = WeakObjects()
        core = weakref.ref(self)
        self._schedulers = GreenletLocal(functools.partial(_new_host, core))
        self._loops = LoopLocal(functools.partial(_new_event_loop_host, core))

    def is_pure_async_fn(self):
        return False

    # Asks for a key on an event loop, at once. Returns an awaitable.
    asyncio = call_form(LoaderBase._asyncio, is_async=True)

    @property
    def load_many(self):
        """Async function that loads several keys.

        `load_many(keys)` returns a list of values in the order of the keys, or raises the first
        error. With `return_exceptions=True`, each key that failed has its error in the list. In an
        async function: `yield loader.load_many.asynq(keys)`.
        """
        return _load_many.__get__(self)

    def scope(self):
        """Returns a context in which the loader uses a new, separate cache.

        Use it to cache values for the duration of one request: `with user.scope(): ...`. The cache
        is also used by the async functions and coroutines that are called in the block.
        """
        core = self._core
        if core._scope is None:
            # Two threads may make one, and then use the one that `setdefault` has kept.
            core._scope = core.__dict__.setdefault("_scopes", Scopes(self.group))
        for variant in core._variants or ():
            if variant._scope is None:
                variant._scope = core._scope.of_variant()
        return LoaderScope(self)

    def prime(self, key, value):
        """Stores a value in the current cache. Does nothing if the loader does not cache.

        A request for `key` that is in flight does not overwrite it.
        """
        self.prime_many([(key, value)])

    def prime_many(self, values):
        """Stores the values of a mapping or of `(key, value)` pairs, as `prime` does one."""
        loader = self._of_caller()
        cache = loader._current_cache
        if cache is None:
            return
        for key, value in values.items() if isinstance(values, Mapping) else values:
            cache_key = loader._cache_key(key)
            loader._clear_in_flight(cache_key)
            cache[cache_key] = value

    def clear(self, key):
        """Removes `key` from the current cache.

        Values that are in flight in any thread are not cached when they arrive, and tasks that ask
        for `key` afterwards cause a new request.
        """
        loader = self._of_caller()
        cache, cache_key = loader._current_cache, loader._cache_key(key)
        loader._clear_in_flight(cache_key)
        if cache is not None:
            cache.pop(cache_key, None)

    def clear_all(self):
        """Removes all keys from the current cache, as `clear` does for one key."""
        loader = self._of_caller()
        cache = loader._current_cache
        for host in loader._hosts:
            host.clear_all()
        if cache is not None:
            cache.clear()

    @property
    def stats(self):
        """Totals of the loader so far, in all requests and for all values of `per`; see `Stats`."""
        return Stats(*self._stats(list(self._counted_hosts)))

    def __set_name__(self, owner, name):
        self.__name__ = name
        self.__qualname__ = f"{owner.__qualname__}.{name}"

    def _new_core(self, owner):
        """Returns a loader with the state of the loader of an instance, or of a class."""
        if self.settings.has_mapping:
            raise TypeError(
                f"the loader {self.name} is a method, so all instances would share its cache: use"
                " cache=True, which gives each instance a cache of its own"
            )
        core = self._copy()
        core.group = self._group_of(owner)
        core._set_up_core()
        if core.group is not None and not _is_weakly_referable(owner):
            core._scope.find_loader = functools.partial(_bind_loader, self, owner)
        return core

    def _copy(self):
        """Returns a loader with the same attributes, and without state."""
        copy = type(self).__new__(type(self))
        own = self.__dict__.keys() - {"_scopes", "_variants"}
        copy.__dict__.update({name: self.__dict__[name] for name in own})
        return copy

    def _group_of(self, owner):
        group = self.settings.group
        if group is None or isinstance(group, Group):
            return group
        group = group(owner)
        if group is not None and not isinstance(group, Group):
            raise TypeError(f"the group of the loader {self.name} must be a Group, got {group!r}")
        return group

    def _find_variant(self):
        """Returns the variant of this core, which the extension did not find."""
        return find_variant(self)

    def __reduce__(self):
        if self._template is not None:
            if isinstance(self._owner, type):
                return getattr, (self._owner, self._template.__name__)
            return _bind_loader, (self._template, self._owner)
        if hasattr(self.fn, "__self__"):
            raise TypeError(f"{self!r} cannot be copied or pickled: its function is a bound method")
        return self.__qualname__  # By name, as functions.

    def __repr__(self):
        per = f" per {self._values!r}" if self._values else ""
        return f"<loader {self.name}{per}>"

    def _host(self):
        """Returns the loads of this thread or greenlet."""
        return self._schedulers.get()

    def _loop_host(self):
        """Returns the loads of the running event loop."""
        return self._loops.of(asyncio.get_running_loop())

    def _in_flight(self):
        return [batch for host in self._counted_hosts for batch in host.in_flight]

    def _clear_in_flight(self, cache_key):
        for host in self._hosts:
            host.clear(cache_key)

    # The extension calls these.

    def _open_batch(self, host):
        """Returns a new batch for the next keys of a host."""
        if self._owner is None and _needs_instance(self):
            raise TypeError(
                f"the loader {self.name} is a method: ask it as an attribute of an instance. Under"
                " @classmethod, which no longer binds it since Python 3.13, write @loader above"
                " @classmethod"
            )
        if self._owner is None and self.group is None and self.settings.group is not None:
            raise TypeError(
                f"the group of the loader {self.name} is a function of an instance, but the loader"
                " is not a method: give it a Group"
            )
        if host.is_event_loop and not host.unsent:
            context = contextvars.copy_context() if self._is_of_one_request else None
            host.opener = get_active_task(), running_function.get(), context
        return (PrioritizedBatch if self.settings.priority else LoaderBatch)(self, host)

    def _new_request(self, host, part):
        return (EventLoopRequest if host.is_event_loop else Request)(self, host, part)

    def _late(self, load, was_sent):
        """Returns the error of a load that has no answer in time."""
        return errors.late(self.name, load.key, self.settings.timeout, was_sent)

    def _self_wait(self, key):
        """Returns the error of a load that the batch function makes of its own key."""
        return errors.self_wait(self.name, key)


def loader(fn=None, **settings):
    """Decorator that creates a `Loader`: `@asynq.loader`, or `@asynq.loader(cache=True, ...)`.

    The settings are the same as for `Loader`.
    """
    if fn is None:
        parsed = Settings.parse(settings)  # Raises errors where the decorator is written.
        return functools.partial(Loader, **{**settings, "per": parsed.per})
    return Loader(fn, **settings)


def _new_host(core):
    core = core()
    # With a limit it is called synchronously, so that it lends its permits whenever it waits.
    runs_tasks = core.is_asynq_function and core.group_limit is None
    return _add_host(core, LoaderHost(core, None, runs_tasks, *_limits(core), None, 0.0))


def _new_event_loop_host(core):
    core = core()
    event_loop = weakref.ref(asyncio.get_running_loop())
    settings = *_limits(core), *core.settings.delays()
    return _add_host(core, EventLoopHost(core, event_loop, False, *settings))


def _limits(core):
    return core.settings.max_batch_size, core.settings.timeout, core._sends_unawaited


def _add_host(core, host):
    core._hosts.add(host)
    core._counted_hosts.add(host)
    return host


def _needs_instance(loader):
    """Returns whether the batch function has a parameter before the keys."""
    attributes = loader.__dict__
    if "_needs_instance" not in attributes:
        needed = []
        with contextlib.suppress(TypeError, ValueError):  # The function is a builtin.
            parameters = inspect.signature(loader.fn).parameters.values()
            kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            needed = [one for one in parameters if one.kind in kinds and one.default is one.empty]
        attributes["_needs_instance"] = len(needed) > 1
    return attributes["_needs_instance"]


def _bind_loader(template, owner):
    return template.__get__(owner, type(owner))


def _is_weakly_referable(owner):
    try:
        weakref.ref(owner)
    except TypeError:
        return False
    return True


def _signature(loader):
    """The signature of a loader, for tools that convert arguments to the type of the keys."""
    annotation = inspect.Parameter.empty
    try:
        keys = next(iter(inspect.signature(loader.fn).parameters))
        (annotation,) = typing.get_args(typing.get_type_hints(loader.fn)[keys])
    except Exception:
        pass  # The function is a builtin, or its annotations do not tell the type.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter("key", kind, annotation=annotation)])


Loader.__signature__ = InstanceAttribute(_signature)
call_as_methods(Loader)


@asynq()
def _load_many(self, keys, *, return_exceptions=False):
    if return_exceptions:
        return (yield [_value_or_error.asynq(self, key) for key in keys])
    return (yield [self.asynq(key) for key in keys])


@asynq()
def _value_or_error(loader, key):
    try:
        return (yield loader.asynq(key))
    except Exception as error:
        return error


@asynq()
@stands_for(lambda load: load.batch.loader)
def await_load(load):
    """Waits for a load in a synchronous call. The extension imports it."""
    return (yield load)
