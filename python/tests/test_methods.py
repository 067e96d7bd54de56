"""Decorated functions in classes: methods of each kind, inheritance, binding."""

import pytest

from asynq import AsyncTask, ConstFuture, async_proxy, asynq, make_async_decorator
from asynq.decorators import AsyncDecoratorBinder


def twice(fn):
    @asynq(pure=True)
    def wrapper(*args, **kwargs):
        return 2 * (yield fn.asynq(*args, **kwargs))

    return make_async_decorator(fn, wrapper, "twice")


def log_call(fn):
    @asynq(pure=True)
    def wrapper(*args, **kwargs):
        return "logged", (yield fn.asynq(*args, **kwargs))

    return make_async_decorator(fn, wrapper, "log_call")


class Shape:
    sides = 4

    def __init__(self, size=1):
        self.size = size

    def __str__(self):
        return f"shape of size {self.size}"

    @asynq()
    def scaled(self, factor):
        yield None
        return self, self.size * factor

    @asynq(pure=True)
    def pure(self, factor):
        return self, factor

    @asynq()
    @classmethod
    def kind(cls, suffix):
        return cls, suffix

    @asynq(pure=True)
    @classmethod
    def pure_kind(cls, suffix):
        return cls, suffix

    @asynq()
    @staticmethod
    def area(a, b):
        return a * b

    @asynq(pure=True)
    @staticmethod
    def pure_area(a, b):
        return a * b

    @staticmethod
    @asynq(pure=True)
    def area_inside_staticmethod(a, b):
        return a * b

    @async_proxy()
    def proxied(self, factor):
        return self.scaled.asynq(factor)

    @async_proxy()
    @classmethod
    def proxied_kind(cls, suffix):
        return cls.kind.asynq(suffix)

    @async_proxy()
    @staticmethod
    def proxied_area(a, b):
        return ConstFuture(a * b)

    @log_call
    @asynq()
    def logged(self, factor):
        return self, factor

    @log_call
    @asynq()
    @classmethod
    def logged_kind(cls, suffix):
        return cls, suffix

    @log_call
    @asynq()
    @staticmethod
    def logged_area(a, b):
        return a * b

    @asynq()
    def of_all(self, names, *args):
        return (yield [getattr(self, name).asynq(*args) for name in names])


class Square(Shape):
    pass


# Each kind


@pytest.mark.parametrize("name", ["scaled", "proxied"])
def test_a_method_gets_its_object(name):
    shape = Shape(2)
    method = getattr(shape, name)
    assert method(3) == method.asynq(3).value() == (shape, 6)


@pytest.mark.parametrize("count", [0, 1, 5, 6, 100])
@pytest.mark.parametrize("named", [{}, {"a": 1}, {"a": 1, "b": 2}])
def test_a_method_gets_any_number_of_arguments_after_its_object(count, named):
    class Collector:
        @asynq()
        def collect(self, *args, **kwargs):
            return self, args, kwargs

    collector, args = Collector(), tuple(range(count))
    expected = collector, args, named
    assert collector.collect(*args, **named) == expected
    assert Collector.collect(collector, *args, **named) == expected
    assert collector.collect.asynq(*args, **named).value() == expected


def test_a_binder_of_another_class_is_called_with_its_object():
    class Binder(AsyncDecoratorBinder):
        pass

    assert Binder(Shape.__dict__["scaled"], Shape(2))(3)[1] == 6


def test_a_binder_without_a_decorator_names_what_is_missing():
    with pytest.raises(TypeError, match="binds nothing"):
        AsyncDecoratorBinder.__new__(AsyncDecoratorBinder)()


@pytest.mark.parametrize("name", ["scaled", "proxied"])
def test_a_method_taken_from_the_class_is_given_its_object(name):
    shape = Shape(2)
    method = getattr(Shape, name)
    assert method(shape, 3) == method.asynq(shape, 3).value() == (shape, 6)


@pytest.mark.parametrize("name", ["kind", "proxied_kind"])
@pytest.mark.parametrize("owner", [Shape, Square])
def test_a_class_method_gets_the_class_it_is_called_on(name, owner):
    for method in (getattr(owner, name), getattr(owner(), name)):
        assert method("x") == method.asynq("x").value() == (owner, "x")


@pytest.mark.parametrize("name", ["area", "proxied_area"])
@pytest.mark.parametrize("owner", [Shape, Shape(), Square])
def test_a_static_method_gets_its_arguments_alone(name, owner):
    method = getattr(owner, name)
    assert method(2, b=3) == method.asynq(2, b=3).value() == 6


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_pure_methods_return_tasks():
    shape = Shape()
    assert type(shape.pure(3)) is AsyncTask
    assert shape.pure(3).value() == Shape.pure(shape, factor=3).value() == (shape, 3)


@pytest.mark.parametrize("owner", [Shape, Square])
def test_pure_class_methods_get_the_class_they_are_called_on(owner):
    assert owner.pure_kind("x").value() == owner().pure_kind("x").value() == (owner, "x")


@pytest.mark.parametrize("name", ["pure_area", "area_inside_staticmethod"])
@pytest.mark.parametrize("owner", [Shape, Shape()])
def test_pure_static_methods_get_their_arguments_alone(name, owner):
    assert getattr(owner, name)(2, 3).value() == 6


def test_a_made_decorator_binds_methods_of_each_kind():
    shape = Shape()
    assert shape.logged(3) == shape.logged.asynq(3).value() == ("logged", (shape, 3))
    assert Square.logged_kind("x") == ("logged", (Square, "x"))
    assert Square().logged_kind.asynq("x").value() == ("logged", (Square, "x"))
    assert shape.logged_area(2, 3) == Shape.logged_area.asynq(2, 3).value() == ("logged", 6)


def test_methods_can_be_yielded_together():
    shape = Shape(2)
    assert shape.of_all(["scaled", "proxied"], 3) == [(shape, 6), (shape, 6)]


def test_the_attribute_named_async_of_a_method_is_an_alias_of_asynq():
    shape = Shape(2)
    assert getattr(shape.scaled, "async")(3).value() == (shape, 6)


# sync_fn


class Pairs:
    def sync_method(self, x):
        return "sync", self, x

    @asynq(sync_fn=sync_method)
    def method(self, x):
        return "async", self, x

    @classmethod
    def sync_classmethod(cls, x):
        return "sync", cls, x

    @asynq(sync_fn=sync_classmethod)
    @classmethod
    def classmethod_(cls, x):
        return "async", cls, x

    @staticmethod
    def sync_staticmethod(x):
        return "sync", x

    @asynq(sync_fn=sync_staticmethod)
    @staticmethod
    def staticmethod_(x):
        return "async", x

    @async_proxy(sync_fn=sync_method)
    def proxy(self, x):
        return ConstFuture(("async", self, x))


class InheritsPairs(Pairs):
    pass


@pytest.mark.parametrize("name", ["method", "proxy"])
@pytest.mark.parametrize("owner", [Pairs, InheritsPairs])
def test_the_sync_fn_of_a_method_gets_its_object(name, owner):
    instance = owner()
    method = getattr(instance, name)
    assert method(1) == ("sync", instance, 1)
    assert method.asynq(1).value() == ("async", instance, 1)


def test_the_sync_fn_of_a_method_taken_from_the_class_is_given_its_object():
    instance = Pairs()
    assert Pairs.method(instance, 1) == ("sync", instance, 1)
    assert Pairs.method.asynq(instance, 1).value() == ("async", instance, 1)


@pytest.mark.parametrize("owner", [Pairs, InheritsPairs])
def test_the_sync_fn_of_a_class_method_gets_the_class(owner):
    for method in (owner.classmethod_, owner().classmethod_):
        assert method(1) == ("sync", owner, 1)
        assert method.asynq(1).value() == ("async", owner, 1)


@pytest.mark.parametrize("owner", [Pairs, Pairs(), InheritsPairs])
def test_the_sync_fn_of_a_static_method_gets_its_arguments_alone(owner):
    assert owner.staticmethod_(1) == ("sync", 1)
    assert owner.staticmethod_.asynq(1).value() == ("async", 1)


def test_the_sync_fn_of_a_method_may_be_a_builtin_function():
    class Words(list):
        @asynq(sync_fn=len)
        def size(self):
            raise NotImplementedError

    assert Words(["a", "b"]).size() == 2


# Binders


def test_a_method_knows_its_decorator_and_its_object():
    shape = Shape()
    assert shape.scaled.decorator is Shape.__dict__["scaled"]
    assert shape.scaled.instance is shape


def test_a_method_taken_from_the_class_has_no_object():
    assert Shape.scaled.decorator is Shape.__dict__["scaled"]
    assert Shape.scaled.instance is None


def test_a_class_method_is_bound_to_the_class():
    assert Square().kind.instance is Square


def test_a_static_method_is_the_decorator_itself():
    assert Shape.area is Shape().area is Shape.__dict__["area"]


def test_the_type_of_a_decorated_method_is_that_of_what_was_decorated():
    types = {name: Shape.__dict__[name].type for name in ("scaled", "kind", "area")}
    assert types == {"scaled": None, "kind": classmethod, "area": staticmethod}


def test_the_type_of_a_doubly_decorated_method_is_that_of_the_inner():
    assert Shape.__dict__["logged_kind"].type is classmethod
    assert Shape.__dict__["logged_area"].type is staticmethod


def test_the_function_inside_a_decorated_method_is_a_plain_function():
    assert Shape.__dict__["kind"].fn(1, 2) == (1, 2)


def test_str_and_repr_of_a_method_tell_its_object():
    scaled = Shape(2).scaled
    expected = f"<@asynq() {__name__}.scaled bound to shape of size 2>"
    assert str(scaled) == repr(scaled) == expected


def test_str_and_repr_of_a_method_taken_from_the_class_say_that_it_is_unbound():
    assert str(Shape.scaled) == repr(Shape.scaled) == f"<@asynq() {__name__}.scaled unbound>"


def test_a_method_has_the_name_of_its_decorator():
    assert Shape().scaled.name() == "@asynq()"
    assert Shape().pure.name() == "@asynq(pure=True)"


def test_methods_are_equal_if_decorator_and_object_are():
    shape = Shape()
    assert shape.scaled == shape.scaled
    assert shape.scaled != Shape().scaled
    assert shape.scaled != shape.of_all
    assert Shape.scaled == Shape.scaled
    assert shape.scaled != 1


def test_equal_methods_have_equal_hashes():
    shape = Shape()
    assert len({shape.scaled, shape.scaled, Shape.scaled, Shape.scaled}) == 2


def test_a_method_says_that_it_is_a_decorator():
    assert Shape().scaled.is_decorator() is True


# Inheritance


def test_super_reaches_the_decorated_method_of_the_base_class():
    class Base:
        @asynq()
        def fn(self, x):
            return [("base", x)]

    class Derived(Base):
        @asynq()
        def fn(self, x):
            return [("derived", x), *(yield super().fn.asynq(x + 1)), *super().fn(x + 2)]

    assert Derived().fn(1) == [("derived", 1), ("base", 2), ("base", 3)]


def test_super_reaches_the_decorated_class_method_of_the_base_class():
    class Base:
        @asynq()
        @classmethod
        def fn(cls):
            return cls

    class Derived(Base):
        @asynq()
        @classmethod
        def fn(cls):
            return (yield super().fn.asynq()), super().fn()

    assert Derived.fn() == (Derived, Derived)


def test_methods_of_several_base_classes_are_called_by_name():
    class Left:
        @asynq()
        def fn(self):
            return ["left"]

    class Right:
        @asynq()
        def fn(self):
            return ["right"]

    class Both(Left, Right):
        @asynq()
        def fn(self):
            left, right = yield super().fn.asynq(), Right.fn.asynq(self)
            return left + right

    assert Both().fn() == ["left", "right"]


def test_a_plain_method_may_replace_a_decorated_one():
    class Base:
        @asynq()
        def fn(self):
            raise NotImplementedError

    class Derived(Base):
        def fn(self):
            return "plain"

    assert Derived().fn() == "plain"


def test_a_decorated_function_in_an_object_dictionary_is_not_bound():
    shape = Shape()
    shape.scaled = Shape.area
    assert shape.scaled(2, 3) == 6
