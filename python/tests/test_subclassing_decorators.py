"""Subclasses of the decorators of async functions."""

from doubles import double, double_in_two_steps, plain_double

from asynq import AsyncTask, ConstFuture, asynq
from asynq.decorators import AsyncDecorator


def decorate(decorator_cls, *args, **kwargs):
    """Applies a decorator class like `qcore.decorators.decorate`."""

    class PythonWrapper(decorator_cls):
        pass

    PythonWrapper.__name__ = decorator_cls.__name__ + "PythonWrapper"

    def decorator(fn):
        wrapped = PythonWrapper(fn, *args, **kwargs)
        for name in ("__module__", "__name__", "__doc__"):
            if hasattr(fn, name):
                setattr(wrapped, name, getattr(fn, name))
        return wrapped

    return decorator


class Logged(AsyncDecorator):
    """A decorator whose constructor differs from that of its base class."""

    def __init__(self, fn, log, *, prefix=""):
        super().__init__(fn, AsyncTask)
        self.log = log
        self.prefix = prefix

    def name(self):
        return "@logged()"

    def _call_pure(self, args, kwargs):
        self.log.append((self.prefix, args, kwargs))
        return super()._call_pure(args, kwargs)


def test_an_override_of_call_pure_is_used_by_both_call_forms():
    log = []
    fn = Logged(lambda x, y=0: x + y, log)
    assert fn(1) == 1
    assert fn.asynq(1, y=2).value() == 3
    assert log == [("", (1,), {}), ("", (1,), {"y": 2})]


def test_a_subclass_applied_by_a_wrapper_class_works():
    log = []

    @decorate(Logged, log, prefix="p")
    def fn(x):
        """About fn."""
        yield None
        return x

    assert fn(1) == 1
    assert log == [("p", (1,), {})]
    assert (fn.__name__, fn.__module__, fn.__doc__) == ("fn", __name__, "About fn.")
    assert str(fn) == f"@logged() {__name__}.fn"


def test_an_override_of_asynq_and_call_is_used():
    class Shouting(AsyncDecorator):
        def asynq(self, *args, **kwargs):
            return ConstFuture("ASYNQ")

        def __call__(self, *args, **kwargs):
            return "CALL"

    fn = decorate(Shouting, AsyncTask)(plain_double)

    @asynq()
    def caller():
        return (yield fn.asynq(1)), fn(1)

    assert caller() == ("ASYNQ", "CALL")


def test_a_decorator_of_a_decorated_function_can_be_a_subclass():
    class Outer(AsyncDecorator):
        def asynq(self, *args, **kwargs):
            return self.fn.asynq(*args, **kwargs)

    assert decorate(Outer, double.task_cls)(double).asynq(2).value() == 4


def test_what_a_decorator_was_made_with_can_be_read():
    async def asyncio_fn():
        raise NotImplementedError

    fn = decorate(AsyncDecorator, AsyncTask, {"a": 1}, asyncio_fn)(plain_double)
    assert (fn.task_cls, fn.kwargs, fn.asyncio_fn) == (AsyncTask, {"a": 1}, asyncio_fn)


def test_needs_wrapper_is_whether_a_call_makes_a_generator():
    assert double.needs_wrapper is False
    assert double_in_two_steps.needs_wrapper is True
