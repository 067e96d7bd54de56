"""`unittest.mock.patch` for asynchronous functions.

`patch` and `patch.object` replace an `@asynq()` function for synchronous and asynchronous calls,
and for calls from asyncio, so a test configures and checks only one mock:

>>> from asynq import asynq, mock
>>> class Store:
...     @asynq()
...     def fetch(self, key):
...         raise NotImplementedError
>>> @asynq()
... def caller(store):
...     return (yield store.fetch.asynq("a")), store.fetch("b")
>>> with mock.patch.object(Store, "fetch") as fetch:
...     fetch.side_effect = lambda key: key.upper()
...     caller(Store())
...     fetch.call_count
('A', 'B')
2

`asynq.mock` is an alias of this module.
"""

import contextlib
import inspect
from unittest import mock

from ._asynq import ConstFuture, DecoratorBase
from .decorators import AsyncAndSyncPairDecorator, asynq, is_pure_async_fn

__all__ = ["patch"]

_get_target = mock._get_target


def patch(
    target,
    new=mock.DEFAULT,
    spec=None,
    create=False,
    mocksignature=False,
    spec_set=None,
    autospec=False,
    new_callable=None,
    **kwargs,
):
    """Replaces the object with the dotted name `target`, as `unittest.mock.patch` does.

    The replacement has the attribute `asynq`, which calls the replacement and returns its result as
    a future, and `asyncio`, a coroutine function that does the same. Attributes of `asynq` itself
    can neither be set nor read: use the replacement.

    The parameters are the same as for `unittest.mock.patch`, except that `mocksignature` is
    ignored.
    """
    getter, attribute = _get_target(target)
    return _make_patch(
        getter, attribute, new, spec, create, spec_set, autospec or None, new_callable, kwargs
    )


def _patch_object(
    target,
    attribute,
    new=mock.DEFAULT,
    spec=None,
    create=False,
    mocksignature=False,
    spec_set=None,
    autospec=False,
    new_callable=None,
    **kwargs,
):
    """Replaces an attribute of the object `target`, as `unittest.mock.patch.object` does.

    See `patch`.
    """

    def getter():
        return target

    return _make_patch(
        getter, attribute, new, spec, create, spec_set, autospec or None, new_callable, kwargs
    )


patch.object = _patch_object
patch.dict = mock.patch.dict
patch.TEST_PREFIX = mock.patch.TEST_PREFIX
patch.stopall = mock.patch.stopall


def _make_patch(getter, attribute, new, *rest):
    patcher = _PatchAsync(getter, attribute, _settable(new), *rest)
    patcher.is_asynchronous_already = isinstance(new, DecoratorBase)
    return patcher


class _PatchAsync(mock._patch):
    is_asynchronous_already = False

    def __enter__(self):
        replacement = super().__enter__()
        if not callable(replacement) or self.is_asynchronous_already:
            return replacement
        if isinstance(replacement, DecoratorBase) and isinstance(self.target, type):
            return replacement  # A method, which binds for both kinds of calls.
        # In asyncio mode, the decorator itself would refuse a synchronous call.
        is_function = isinstance(replacement, AsyncAndSyncPairDecorator)
        mock_fn = replacement.sync_fn if is_function else replacement
        async_fn = _AsyncWrapper(mock_fn)
        replacement.asynq = async_fn
        setattr(replacement, "async", async_fn)
        with contextlib.suppress(AttributeError):  # Its spec may have `asynq` alone.
            replacement.asyncio = _coroutine_function(mock_fn)
        if isinstance(replacement, mock.NonCallableMock):
            self._set_pure(replacement)
        return replacement

    def _set_pure(self, replacement):
        # is_pure_async_fn() of an unconfigured mock is true, and async_call() would believe it.
        is_pure = is_pure_async_fn(self.temp_original)
        with contextlib.suppress(AttributeError):  # Its spec forbids the attribute.
            replacement.is_pure_async_fn = lambda: is_pure

    def copy(self):
        patcher = super().copy()
        patcher.__class__ = _PatchAsync
        patcher.is_asynchronous_already = self.is_asynchronous_already
        return patcher


def _coroutine_function(mock_fn):
    """Returns the attribute `asyncio` of a replacement."""

    async def asyncio(*args, **kwargs):
        return mock_fn(*args, **kwargs)

    return asyncio


class _AsyncWrapper:
    """Attribute `asynq` of a replacement."""

    def __init__(self, mock_fn):
        object.__setattr__(self, "_mock_fn", mock_fn)

    def __call__(self, /, *args, **kwargs):
        return ConstFuture(self._mock_fn(*args, **kwargs))

    def __setattr__(self, attr, value):
        raise TypeError(
            "You cannot set attributes directly on a .asynq function. Set them on the function"
            " itself instead."
        )

    def __getattr__(self, attr):
        raise TypeError(
            "You cannot read attributes directly on a .asynq function. Read them on the function"
            " itself instead."
        )


def _settable(new):
    """Returns `new`, or an object that acts like it and allows attributes to be set."""
    if new is mock.DEFAULT:
        return new
    if inspect.iscoroutinefunction(getattr(new, "__func__", new)):
        return asynq()(new)
    if inspect.isfunction(new) or isinstance(new, (classmethod, staticmethod)):
        return asynq(sync_fn=new)(new)
    if not callable(new):
        return new
    try:
        new._asynq_probe = None
        del new._asynq_probe
    except (AttributeError, TypeError):
        return _Forwarder(new)  # A bound method, a built-in function or class.
    return new


class _Forwarder:
    """Forwards calls to `fn`. Unlike a function, it does not become a method of a class."""

    def __init__(self, fn):
        self._fn = fn

    def __call__(self, /, *args, **kwargs):
        return self._fn(*args, **kwargs)
