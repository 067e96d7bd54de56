"""Objects whose `__init__` never ran, copies, and other classes have only ordinary errors."""

import copy
import gc
import inspect
import pickle
import weakref

import pytest
from programs import assert_ends_well

import asynq
from asynq import AsyncTask, ErrorFuture, Future, FutureBase, _asynq, decorators, get_scheduler
from asynq import asynq as async_function
from asynq.decorators import (
    AsyncAndSyncPairDecoratorBinder,
    AsyncDecoratorBinder,
    DecoratorBase,
    DecoratorBinder,
)


@async_function()
def identity(value):
    yield None
    return value


# Without the options, whose attributes are those of the process.
CLASSES = sorted(
    {cls for _, cls in inspect.getmembers(_asynq, inspect.isclass)} - {type(_asynq.options)},
    key=lambda cls: cls.__name__,
)


def assert_is_ordinary(error):
    assert type(error).__name__ != "PanicException"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_object_without_init_has_only_ordinary_errors(cls):
    skipped = {"__class__", "__init_subclass__", "__subclasshook__", "__new__", "__del__"}
    for name in sorted(set(dir(cls)) - skipped):
        try:
            thing = cls.__new__(cls)
        except TypeError:
            return  # A class that only asynq makes objects of.
        try:
            attribute = getattr(thing, name)
            result = attribute() if callable(attribute) else None
            if inspect.iscoroutine(result):
                result.close()
        except BaseException as error:
            assert_is_ordinary(error)
    gc.collect()


def test_the_collector_may_run_while_an_object_is_made():
    assert_ends_well(
        """
        import contextlib, gc, inspect
        from asynq import _asynq

        # Python 3.11 makes the `__dict__` of an object when the object is tracked already.
        gc.set_threshold(1, 1, 1)
        for _, cls in inspect.getmembers(_asynq, inspect.isclass):
            with contextlib.suppress(TypeError):
                cls.__new__(cls)
            with contextlib.suppress(TypeError):
                subclass = type("Subclass", (cls,), {})
                subclass.__new__(subclass)
        print("well")
        """
    )


def delete(thing, name, _):
    delattr(thing, name)


@pytest.mark.parametrize("change", [setattr, delete])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_attributes_of_an_object_without_init_are_changed(cls, change):
    for name in sorted(dir(cls)):
        for value in (None, 1, -1, "text", [], {}, (), len, AsyncTask, object()):
            try:
                thing = cls.__new__(cls)
            except TypeError:
                return
            try:
                change(thing, name, value)
            except BaseException as error:
                assert_is_ordinary(error)


def instances(source):
    item = source.item(1)
    return [
        FutureBase(),
        Future(len),
        ErrorFuture(KeyError(1)),
        identity.asynq(1),
        item,
        item.batch,
        get_scheduler(),
        asynq.AsyncContext(),
        asynq.loader(lambda keys: {}),
        _asynq.DecoratorBinder(len),
        _asynq.LoaderHost(asynq.loader(list), None, False, None, None, False, None, 0.0),
    ]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_copying_and_pickling_has_only_ordinary_errors(source, copied):
    for thing in instances(source):
        try:
            copied(thing)
        except Exception as error:
            assert_is_ordinary(error)


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_objects_cannot_change_to_a_class_with_other_contents(source):
    for thing in instances(source):
        for cls in CLASSES:
            try:
                thing.__class__ = cls
            except TypeError:
                continue
            assert type(thing).__basicsize__ == cls.__basicsize__
            assert isinstance(thing, FutureBase) == issubclass(cls, FutureBase)


def test_a_task_without_init_is_garbage_like_any_object():
    task = AsyncTask.__new__(AsyncTask)
    task.args = (task,)
    reference = weakref.ref(task)
    del task
    gc.collect()
    assert reference() is None


OF_DECORATORS = [getattr(decorators, name) for name in decorators.__all__]
OF_DECORATORS = [cls for cls in OF_DECORATORS if inspect.isclass(cls)]
DECORATORS = [cls for cls in OF_DECORATORS if issubclass(cls, DecoratorBase)]
BINDERS = [cls for cls in OF_DECORATORS if issubclass(cls, DecoratorBinder)]


@pytest.mark.parametrize("cls", DECORATORS, ids=lambda cls: cls.__name__)
def test_a_decorator_without_init_says_that_it_decorates_nothing(cls):
    class Half(cls):
        def __init__(self):
            pass

        def name(self):
            return "half"

    message = "Half decorates nothing: its class has to call super"
    uses = [str, lambda half: half.fn]
    if cls is not DecoratorBase:
        uses += [lambda half: half(1), lambda half: half.__get__(1, int)(1)]
    for use in uses:
        with pytest.raises(TypeError, match=message):
            use(Half())


@pytest.mark.parametrize("cls", BINDERS, ids=lambda cls: cls.__name__)
def test_a_binder_without_init_says_that_it_binds_nothing(cls):
    class Half(cls):
        def __init__(self):
            pass

    message = "Half binds nothing: its class has to call super"
    uses = [lambda half: half(1), lambda half: half.name()]
    if issubclass(cls, AsyncDecoratorBinder):
        uses += [lambda half: half.asynq(1), lambda half: half.asyncio(1)]
    for use in uses:
        with pytest.raises(TypeError, match=message):
            use(Half())


def test_a_binder_of_a_pair_that_was_made_by_hand_calls_the_pair():
    @async_function(sync_fn=lambda instance, x: (instance, x))
    def pair(instance, x):
        yield None

    assert AsyncAndSyncPairDecoratorBinder(pair, "instance")(1) == ("instance", 1)
