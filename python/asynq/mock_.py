"""`unittest.mock.patch` for asynchronous functions.

`patch` and `patch.object` replace both call forms of an `@asynq()` function at once, so that a test
sets and asserts everything on one mock:

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

(The module is not called `mock`, as the standard one is; `asynq.mock` is another name for it.)
"""

import contextlib
import inspect
from unittest import mock

from ._asynq import ConstFuture, DecoratorBase
from .decorators import asynq, is_pure_async_fn

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

    The replacement has an attribute `asynq` that calls it and returns a future with what it
    returned. Nothing can be set or read on that attribute: use the replacement itself.

    `mocksignature` is accepted and ignored.
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
            return replacement  # A method, to be bound in both call forms.
        async_fn = _AsyncWrapper(replacement)
        replacement.asynq = async_fn
        setattr(replacement, "async", async_fn)
        if isinstance(replacement, mock.NonCallableMock):
            self._tell_kind(replacement)
        return replacement

    def _tell_kind(self, replacement):
        # A mock says yes to everything; async_call has to know the truth.
        is_pure = is_pure_async_fn(self.temp_original)
        with contextlib.suppress(AttributeError):  # Its spec does not allow it, nor is it needed.
            replacement.is_pure_async_fn = lambda: is_pure

    def copy(self):
        patcher = super().copy()
        patcher.__class__ = _PatchAsync
        patcher.is_asynchronous_already = self.is_asynchronous_already
        return patcher


class _AsyncWrapper:
    """The attribute `asynq` of a replacement."""

    def __init__(self, mock_fn):
        object.__setattr__(self, "_mock_fn", mock_fn)

    def __call__(self, *args, **kwargs):
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
    """The replacement `new`, or something that acts like it, on which attributes can be set."""
    if new is mock.DEFAULT:
        return new
    if inspect.isfunction(new) or isinstance(new, (classmethod, staticmethod)):
        return asynq(sync_fn=new)(new)
    if not callable(new):
        return new
    try:
        new._asynq_probe = None
        del new._asynq_probe
    except (AttributeError, TypeError):
        return _CallOf(new)  # A bound method, a built-in function or class.
    return new


class _CallOf:
    """Calls something. Unlike a function, it does not become a method of what it is set on."""

    def __init__(self, fn):
        self._fn = fn

    def __call__(self, *args, **kwargs):
        return self._fn(*args, **kwargs)
