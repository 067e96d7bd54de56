"""Attributes of decorated functions and methods that functions have, for tools that read them.

Frameworks and `help()` read the signature, the name and the documentation of a function, and ask
whether it is a coroutine function. This module adds these attributes to the decorators and binders:
they belong to the decorated function, and a call through `.asynq` or `.asyncio` has them, too.
"""

import asyncio
import functools
import inspect
import types
import typing

from ._asynq import (
    AsyncDecorator,
    AsyncDecoratorBinder,
    DecoratorBase,
    DecoratorBinder,
    PureAsyncDecorator,
    PureAsyncDecoratorBinder,
    call_form,
)

# Attributes that test frameworks set on functions, and read from methods.
_TEST_ATTRIBUTES = (
    "pytestmark",
    "__unittest_expecting_failure__",
    "__unittest_skip__",
    "__unittest_skip_why__",
)


class InstanceAttribute:
    """An attribute that objects of a class have, and the class has not.

    `compute` returns its value, or raises `AttributeError`.
    """

    def __init__(self, compute):
        self._compute = compute

    def __get__(self, instance, owner=None):
        if instance is None:
            raise AttributeError
        return self._compute(instance)


class _Documentation:
    """`__doc__` of a class of binders: its objects have that of their decorator."""

    def __init__(self, doc):
        self._doc = doc

    def __get__(self, instance, owner=None):
        return self._doc if instance is None else getattr(instance.decorator, "__doc__", None)


def bind_call_form(descriptor, function, is_async, owner):
    """Returns the bound method `owner.asynq` or `owner.asyncio`, with the signature of `owner`.

    A call of the method calls `function`, that of the call form `descriptor`, with `owner` and the
    arguments. With `is_async` it is a coroutine function. `owner` is a decorator, a binder or a
    loader. It keeps the function of the method, which the extension finds there the next time.
    """
    forms = getattr(owner, "_call_forms", None)
    if forms is None:
        forms = vars(owner).setdefault("_call_forms", {})
    form = forms.setdefault(descriptor, _make_form(descriptor, function, is_async, owner))
    return types.MethodType(form, owner)


def _make_form(descriptor, function, is_async, owner):
    # A function in Python would stand in the stack of the task, and take longer.
    form = functools.partial(descriptor)
    if is_async:
        _mark_coroutine_function(form, descriptor)
    form.__globals__ = _user_globals(owner)
    form.__doc__ = getattr(owner, "__doc__", None) or function.__doc__
    form.__module__ = getattr(getattr(owner, "decorator", owner), "__module__", None)
    form.__name__ = name = "asyncio" if is_async else "asynq"
    form.__qualname__ = f"{getattr(owner, '__qualname__', 'function')}.{name}"
    try:
        signature = inspect.signature(owner)
    except Exception:  # The function is a builtin, or its annotations cannot be evaluated.
        return form
    if not is_async:
        signature = signature.replace(return_annotation=signature.empty)
    form.__annotations__ = _annotations(signature)
    first = "self"
    while first in signature.parameters:
        first += "_"
    first = inspect.Parameter(first, inspect.Parameter.POSITIONAL_ONLY)
    form.__signature__ = signature.replace(parameters=[first, *signature.parameters.values()])
    return form


def _mark_coroutine_function(form, descriptor):
    """Says that a call form returns a coroutine, although it is no `async def` function.

    As such it could not begin before it is awaited, nor be awaited twice.
    """
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(descriptor)  # Tools look inside a partial function.
    else:
        # `asyncio.iscoroutinefunction` looks for it, which frameworks use on these versions.
        form._is_coroutine = asyncio.coroutines._is_coroutine


def _user_globals(owner):
    """Returns the globals of the user's function, in which tools evaluate its annotations."""
    return getattr(_innermost(owner), "__globals__", globals())


def _innermost(owner):
    """Returns the function inside all decorators; see `original_fn`, which also follows mocks."""
    decorator = owner.decorator if isinstance(owner, DecoratorBinder) else owner
    while isinstance(decorator, DecoratorBase):
        decorator = decorator.fn
    return inspect.unwrap(decorator)


def _signature(decorator):
    function = decorator.fn
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise AttributeError(f"{function!r} has no signature") from None
    return signature.replace(return_annotation=_return_annotation(decorator, function, signature))


def _return_annotation(decorator, function, signature):
    """Returns the annotation of the value of a synchronous call."""
    annotation = signature.return_annotation
    if isinstance(function, DecoratorBase) or hasattr(function, "__wrapped__"):
        return annotation  # That of a decorated function.
    if not inspect.isgeneratorfunction(function):
        # A pure function returns a task, and the function inside a proxy returns a future.
        is_value = type(decorator)._call_pure is PureAsyncDecorator._call_pure
        is_value = is_value and not decorator.is_pure_async_fn()
        return annotation if is_value else signature.empty
    if isinstance(annotation, str):
        try:
            annotation = typing.get_type_hints(function)["return"]
        except Exception:
            return signature.empty
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if decorator.is_pure_async_fn() or len(arguments) != 3 or origin is not _GENERATOR:
        return signature.empty
    return arguments[2]


_GENERATOR = typing.get_origin(typing.Generator[None, None, None])


def annotations(owner):
    """Returns the annotations of a decorator or binder. The extension imports it."""
    try:
        return _annotations(inspect.signature(owner))
    except (TypeError, ValueError):
        return {}


def _annotations(signature):
    annotations = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.annotation is not parameter.empty
    }
    if signature.return_annotation is not signature.empty:
        annotations["return"] = signature.return_annotation
    return annotations


def _wrapped(decorator):
    """Returns a function for tools that look inside a wrapper.

    It is the decorated function, unless that is a generator or coroutine function: as such it would
    be called.
    """
    function = decorator.fn
    if not (inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)):
        return function
    forms = decorator._call_forms
    if "wrapped" not in forms:
        forms["wrapped"] = _plain(decorator, function)
    return forms["wrapped"]


def _plain(decorator, function):
    """Returns a function with the attributes of another, which calls its decorator."""

    def call(*args, **kwargs):
        return decorator(*args, **kwargs)

    code = getattr(inspect.unwrap(function), "__code__", call.__code__)
    place = {"co_filename": code.co_filename, "co_firstlineno": code.co_firstlineno}
    code = call.__code__.replace(co_name=code.co_name, **place)
    wrapped = types.FunctionType(
        code, _user_globals(decorator), call.__name__, call.__defaults__, call.__closure__
    )
    wrapped.__doc__ = function.__doc__
    wrapped.__module__ = function.__module__
    wrapped.__qualname__ = function.__qualname__
    wrapped.__signature__ = _signature(decorator)
    wrapped.__annotations__ = _annotations(wrapped.__signature__)
    return wrapped


def _signature_of_method(binder):
    try:
        signature = inspect.signature(binder.decorator)
    except (TypeError, ValueError):
        raise AttributeError(f"{binder!r} has no signature") from None
    if binder.instance is None:
        return signature
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]
    return signature.replace(parameters=parameters)


def _of_decorator(name):
    return InstanceAttribute(lambda binder: getattr(binder.decorator, name))


def _document_binders(cls):
    """`__init_subclass__` of binders."""
    cls.__doc__ = _Documentation(cls.__doc__)


DecoratorBase.__signature__ = InstanceAttribute(_signature)
DecoratorBase.__wrapped__ = InstanceAttribute(_wrapped)
DecoratorBinder.__signature__ = InstanceAttribute(_signature_of_method)
DecoratorBinder.__init_subclass__ = classmethod(_document_binders)
for _name in ("__wrapped__", *_TEST_ATTRIBUTES):
    setattr(DecoratorBinder, _name, _of_decorator(_name))
for _class in (DecoratorBinder, PureAsyncDecoratorBinder, AsyncDecoratorBinder):
    _document_binders(_class)
for _class in (AsyncDecorator, AsyncDecoratorBinder):
    _class.asynq = call_form(_class.asynq)
for _class in (PureAsyncDecorator, AsyncDecoratorBinder):
    _class.asyncio = call_form(_class.asyncio, is_async=True)
