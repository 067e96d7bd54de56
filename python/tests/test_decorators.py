"""`@asynq()` and the other decorators on functions."""

import pickle

import pytest
from doubles import lazy_double, paired_double, plain_double, twice

from asynq import AsyncTask, ConstFuture, Future, async_proxy, asynq, decorators
from asynq.decorators import (
    AsyncAndSyncPairDecorator,
    AsyncAndSyncPairProxyDecorator,
    AsyncDecorator,
    AsyncProxyDecorator,
    AsyncWrapper,
    PureAsyncDecorator,
    lazy,
)


@asynq()
def double(x):
    """Twice x."""
    return 2 * x


@asynq()
def double_in_two_steps(x):
    y = yield double.asynq(x)
    return y


@asynq(pure=True)
def pure_double(x):
    return 2 * x


@async_proxy()
def proxied_double(x):
    return double.asynq(x)


# The three ways to call


def test_a_plain_call_returns_the_value():
    assert double_in_two_steps(3) == 6


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_an_asynchronous_call_returns_a_task():
    task = double_in_two_steps.asynq(3)
    assert type(task) is AsyncTask


def test_an_asynchronous_call_does_not_run_the_body():
    ran = []

    @asynq()
    def fn():
        ran.append(1)

    task = fn.asynq()
    assert ran == []
    task.value()
    assert ran == [1]


def test_arguments_reach_a_function_without_yield():
    @asynq()
    def fn(a, *rest, b, **others):
        return a, rest, b, others

    assert fn(1, 2, b=3, c=4) == (1, (2,), 3, {"c": 4})
    assert fn.asynq(1, 2, b=3, c=4).value() == (1, (2,), 3, {"c": 4})


def test_arguments_reach_a_generator_function():
    @asynq()
    def fn(a, *rest, b, **others):
        yield None
        return a, rest, b, others

    assert fn(1, 2, b=3, c=4) == (1, (2,), 3, {"c": 4})


def test_wrong_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="positional argument"):
        double()
    with pytest.raises(TypeError, match="unexpected keyword argument 'y'"):
        double_in_two_steps(1, y=2)


def test_a_function_without_yield_may_return_a_generator():
    @asynq()
    def fn():
        return (x for x in (1, 2))

    assert list(fn()) == [1, 2]


def test_the_attribute_named_async_is_an_alias_of_asynq():
    assert getattr(double, "async")(2).value() == 4


def test_a_lambda_can_be_decorated():
    assert asynq()(lambda x: x + 1)(1) == 2


# Attributes of a decorated function


def test_a_decorated_function_keeps_its_name_module_and_documentation():
    assert (double.__name__, double.__module__, double.__doc__) == ("double", __name__, "Twice x.")


def test_the_function_inside_is_fn():
    assert paired_double.fn(1) == 20


def test_a_decorated_function_has_no_method_type():
    assert double.type is None


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (double, "@asynq()"),
        (pure_double, "@asynq(pure=True)"),
        (proxied_double, "@asynq()"),
        (paired_double, "@asynq()"),
        (twice(double), "@twice()"),
    ],
)
def test_the_name_is_that_of_the_decorator(fn, name):
    assert fn.name() == name


def test_str_and_repr_tell_decorator_and_function():
    assert str(double) == repr(double) == f"@asynq() {__name__}.double"


@pytest.mark.parametrize("fn", [double, pure_double, proxied_double, paired_double])
def test_a_decorated_function_says_that_it_is_a_decorator(fn):
    assert fn.is_decorator() is True


@pytest.mark.parametrize(
    ("fn", "cls"),
    [
        (double, AsyncDecorator),
        (pure_double, PureAsyncDecorator),
        (proxied_double, AsyncProxyDecorator),
        (paired_double, AsyncAndSyncPairDecorator),
        (twice(double), AsyncWrapper),
    ],
)
def test_each_form_has_its_class(fn, cls):
    assert isinstance(fn, cls)


def test_attributes_can_be_set_on_a_decorated_function():
    @asynq()
    def fn():
        pass

    fn.colour = "red"
    assert fn.colour == "red"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("fn", [double, pure_double, proxied_double, paired_double])
def test_a_decorated_function_is_pickled_by_name(fn, protocol):
    assert pickle.loads(pickle.dumps(fn, protocol)) is fn


def test_pickling_a_function_that_cannot_be_found_again_is_a_type_error():
    @asynq()
    def local():
        pass

    pickled = pickle.dumps(local)
    with pytest.raises(TypeError, match="local"):
        pickle.loads(pickled)


# Misuse


def test_decorating_twice_is_an_assertion_error():
    for decorated in (double, pure_double, proxied_double):
        with pytest.raises(AssertionError, match="can be applied just once"):
            asynq()(decorated)


def test_unknown_keywords_are_an_assertion_error_unless_pure():
    with pytest.raises(AssertionError, match="only supported with pure=True"):
        asynq(colour="red")


def test_sync_fn_with_pure_is_an_assertion_error():
    with pytest.raises(AssertionError, match="sync_fn is not supported for pure"):
        asynq(pure=True, sync_fn=plain_double)


def test_sync_fn_with_a_pure_proxy_is_an_assertion_error():
    with pytest.raises(AssertionError, match="cannot be used together with pure=True"):
        async_proxy(pure=True, sync_fn=plain_double)


@pytest.mark.parametrize("fn", [plain_double, staticmethod(plain_double), int])
@pytest.mark.parametrize("name", ["asynq", "async_proxy"])
def test_a_decorator_without_parentheses_is_a_type_error_that_says_so(name, fn):
    with pytest.raises(TypeError, match=rf"@{name} needs parentheses: write @{name}\(\)"):
        getattr(decorators, name)(fn)


# pure


def test_a_call_of_a_pure_function_returns_a_task():
    task = pure_double(2)
    assert type(task) is AsyncTask
    assert task.value() == 4


def test_a_pure_function_has_no_asynq():
    assert not hasattr(pure_double, "asynq")


def test_a_task_is_of_the_class_cls():
    class MyTask(AsyncTask):
        pass

    @asynq(cls=MyTask)
    def fn():
        yield None
        return 1

    task = fn.asynq()
    assert type(task) is MyTask
    assert task.value() == fn() == 1


def test_cls_is_called_with_generator_function_and_arguments():
    seen = []

    class MyTask(AsyncTask):
        def __init__(self, generator, fn, args, kwargs):
            super().__init__(generator, fn, args, kwargs)
            seen.append((fn.__name__, args, kwargs))

    @asynq(cls=MyTask)
    def fn(x, y):
        return x + y

    assert fn(1, y=2) == 3
    assert seen == [("fn", (1,), {"y": 2})]


def test_further_keywords_reach_the_class_of_a_pure_function():
    class MyTask(AsyncTask):
        def __init__(self, generator, fn, args, kwargs, colour):
            super().__init__(generator, fn, args, kwargs)
            self.colour = colour

    @asynq(pure=True, cls=MyTask, colour="red")
    def fn():
        return 1

    task = fn()
    assert (task.colour, task.value()) == ("red", 1)


# sync_fn


def test_a_plain_call_calls_sync_fn():
    assert paired_double(2) == 4


def test_an_asynchronous_call_does_not_call_sync_fn():
    assert paired_double.asynq(2).value() == 40


# async_proxy


def test_a_proxy_returns_what_the_function_returns():
    future = ConstFuture(1)

    @async_proxy()
    def fn():
        return future

    assert fn.asynq() is future


def test_a_plain_call_of_a_proxy_returns_the_value():
    assert proxied_double(3) == 6


def test_a_plain_call_of_a_proxy_calls_sync_fn():
    @async_proxy(sync_fn=plain_double)
    def fn(x):
        return ConstFuture(20 * x)

    assert isinstance(fn, AsyncAndSyncPairProxyDecorator)
    assert (fn(1), fn.asynq(1).value()) == (2, 20)


def test_a_pure_proxy_is_the_function_itself():
    assert async_proxy(pure=True)(plain_double) is plain_double


def test_an_error_in_the_body_of_a_proxy_is_raised_by_the_asynchronous_call():
    @async_proxy()
    def fn():
        raise KeyError("x")

    with pytest.raises(KeyError):
        fn.asynq()


# make_async_decorator and lazy


def test_a_made_decorator_changes_both_call_forms():
    assert twice(double)(1) == 4
    assert twice(double).asynq(1).value() == 4


def test_a_made_decorator_knows_what_it_decorates():
    decorated = twice(double)
    assert decorated.fn is double
    assert decorated.__name__ == "double"


def test_made_decorators_can_be_stacked():
    assert twice(twice(double))(1) == 8


def test_a_lazy_call_returns_a_future_that_is_not_computed():
    future = lazy_double(2)
    assert type(future) is Future
    assert not future.is_computed()


def test_a_lazy_call_is_made_once_when_its_value_is_asked_for():
    calls = []

    @lazy
    def fn(x, *, y):
        calls.append((x, y))

    future = fn(1, y=2)
    assert calls == []
    future.value()
    future.value()
    assert calls == [(1, 2)]


def test_a_lazy_function_keeps_its_name():
    assert lazy_double.__name__ == "lazy_double"


def test_a_lazy_future_can_be_yielded():
    @asynq()
    def fn():
        return (yield lazy_double(4))

    assert fn() == 8
