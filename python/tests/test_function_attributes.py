"""Attributes that decorated functions share with functions, and tools that read them."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import pydoc
import subprocess
import sys
import typing
import unittest
import weakref
from collections.abc import Generator

import httpx
import pytest
import strawberry
from doubles import double
from fastapi import Depends, FastAPI

from asynq import AsyncTask, ConstFuture, async_proxy, asynq, make_async_decorator
from asynq.tools import acached_per_instance, alru_cache, aretry, deduplicate


def plain(x: int, /, *rest: str, y: float = 1.0, **others: bool) -> str:
    """Documentation of the function."""
    return str(x)


def generator(x: int, /, *rest: str, y: float = 1.0, **others: bool) -> Generator[None, None, str]:
    """Documentation of the function."""
    yield None
    return str(x)


async def coroutine(x: int, /, *rest: str, y: float = 1.0, **others: bool) -> str:
    """Documentation of the function."""
    return str(x)


def proxy(x: int, /, *rest: str, y: float = 1.0, **others: bool) -> ConstFuture[str]:
    """Documentation of the function."""
    return ConstFuture(str(x))


def doubled(fn):
    return make_async_decorator(fn, fn.asynq, "doubled")


FUNCTIONS = {
    "plain": asynq()(plain),
    "generator": asynq()(generator),
    "coroutine": asynq()(coroutine),
    "pair": asynq(sync_fn=plain)(generator),
    "proxy": async_proxy()(proxy),
    "made": doubled(asynq()(generator)),
    "deduplicate": deduplicate()(asynq()(generator)),
    "alru_cache": alru_cache()(asynq()(generator)),
    "aretry": aretry(KeyError)(asynq()(generator)),
}
PARAMETERS = list(inspect.signature(plain).parameters.values())


@pytest.fixture(params=FUNCTIONS)
def fn(request):
    return FUNCTIONS[request.param]


class Service:
    """Documentation of the class."""

    @asynq()
    def method(self, id: int) -> Generator[None, None, str]:
        """Documentation of the method."""
        yield None
        return str(id)

    @asynq()
    @classmethod
    def class_method(cls, id: int) -> str:
        return str(id)

    @asynq()
    @staticmethod
    def static_method(id: int) -> str:
        return str(id)

    @deduplicate()
    @asynq()
    def shared(self, id: int) -> str:
        return str(id)

    @acached_per_instance()
    @asynq()
    def cached(self, id: int) -> str:
        return str(id)

    @asynq()
    async def coroutine(self, id: int) -> str:
        return str(id)

    @asynq(pure=True)
    def pure(self, id: int) -> str:
        return str(id)


METHODS = ["method", "class_method", "static_method", "shared", "cached", "coroutine", "pure"]


def parameters(function):
    return list(inspect.signature(function).parameters.values())


# Signatures


@pytest.mark.parametrize("form", [None, "asynq", "asyncio"])
def test_each_call_form_has_the_parameters_of_the_function(fn, form):
    assert parameters(fn if form is None else getattr(fn, form)) == PARAMETERS


@pytest.mark.parametrize("form", [None, "asynq", "asyncio"])
@pytest.mark.parametrize("name", METHODS)
def test_a_bound_method_has_the_parameters_after_the_object(name, form):
    if name == "pure" and form is not None:
        with pytest.raises(AttributeError):
            getattr(Service().pure, form)
        return
    method = getattr(Service(), name)
    method = method if form is None else getattr(method, form)
    assert [str(parameter) for parameter in parameters(method)] in (["id: 'int'"], ["id: int"])


def test_a_method_of_the_class_takes_the_object():
    assert list(inspect.signature(Service.method).parameters) == ["self", "id"]
    assert list(inspect.signature(Service.method.asyncio).parameters) == ["self", "id"]


@pytest.mark.parametrize("name", ["plain", "generator", "made", "deduplicate", "alru_cache"])
def test_the_annotation_of_the_result_is_that_of_a_value(name):
    fn = FUNCTIONS[name]
    assert inspect.signature(fn).return_annotation in (str, "str")
    assert inspect.signature(fn.asyncio).return_annotation in (str, "str")


def test_a_call_that_returns_a_future_has_no_annotation_of_the_result():
    assert inspect.signature(FUNCTIONS["plain"].asynq).return_annotation is inspect.Signature.empty
    assert inspect.signature(FUNCTIONS["proxy"]).return_annotation is inspect.Signature.empty
    assert inspect.signature(Service().pure).return_annotation is inspect.Signature.empty


def test_annotations_are_evaluated_in_the_module_of_the_function():
    hints = {"id": int, "return": str}
    assert typing.get_type_hints(Service().method) == hints
    assert typing.get_type_hints(Service().method.asyncio) == hints


def test_a_parameter_may_be_named_like_those_of_a_method():
    @asynq()
    def fn(self, self_):
        raise NotImplementedError

    assert list(inspect.signature(fn.asynq).parameters) == ["self", "self_"]


def test_a_function_without_a_known_signature_can_be_called_in_each_form():
    fn = asynq()(dict)
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(fn)
    call = fn.asynq
    assert (call(a=1).value(), fn.__annotations__) == ({"a": 1}, {})


def test_the_classes_of_decorators_keep_their_own_attributes():
    assert type(FUNCTIONS["plain"]).__doc__ != FUNCTIONS["plain"].__doc__
    assert type(Service().method).__name__ == "AsyncDecoratorBinder"
    assert "binder" in type(Service().method).__doc__.lower()
    assert not hasattr(type(FUNCTIONS["plain"]), "__wrapped__")


# Call forms


def is_marked(function):
    """Returns whether a function says that it returns a coroutine, though it is no `async def`."""
    by_inspect = inspect.iscoroutinefunction(function)
    assert by_inspect == hasattr(inspect, "markcoroutinefunction")  # From CPython 3.12 on.
    return asyncio.iscoroutinefunction(function)


def test_asyncio_is_a_coroutine_function(fn):
    assert is_marked(fn.asyncio)


@pytest.mark.parametrize("name", METHODS[:-1])
def test_asyncio_of_a_method_is_a_coroutine_function(name):
    assert is_marked(getattr(Service(), name).asyncio)


def test_what_asyncio_returns_can_be_awaited_twice(fn):
    async def main():
        call = fn.asyncio(7)
        return await call, await call

    assert asyncio.run(main()) == ("7", "7")


def test_asynq_is_no_coroutine_function(fn):
    assert not inspect.iscoroutinefunction(fn.asynq)


def test_a_call_form_that_was_looked_up_does_the_same(fn):
    call, run = fn.asynq, fn.asyncio
    assert call(7).value() == asyncio.run(run(7)) == "7"


def test_a_function_is_freed_with_its_last_reference_after_a_look_up_of_its_call_forms():
    fn = asynq()(lambda x: x)
    call, run = fn.asynq, fn.asyncio
    assert call(1).value() == 1
    freed = weakref.ref(fn)
    del fn, call, run
    assert freed() is None


def test_a_call_form_that_was_looked_up_can_be_pickled():
    call = pickle.loads(pickle.dumps(double.asynq))
    assert call(2).value() == 4


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_call_form_of_a_method_that_was_looked_up_does_the_same():
    method = Service().method
    call, run = method.asynq, method.asyncio
    assert isinstance(call(id=7), AsyncTask)
    assert call(7).value() == asyncio.run(run(7)) == "7"


def test_super_finds_the_call_form_of_the_base_class():
    class Loud(type(FUNCTIONS["plain"])):
        def asynq(self, *args):
            call = super().asynq
            return ConstFuture(call(*args).value() + "!")

    fn = Loud(plain, AsyncTask)
    assert (fn.asynq(7).value(), fn.asynq(8).value()) == ("7!", "8!")


def test_a_call_form_can_be_replaced_on_one_function():
    fn = asynq()(plain)
    fn.asyncio = lambda x: asyncio.sleep(0, f"fake {x}")

    @asynq()
    def call():
        return (yield fn.asynq(7))

    assert asyncio.run(call.asyncio()) == "fake 7"


def test_a_bound_method_can_be_decorated():
    class Adder:
        offset = 10

        def add(self, x):
            return self.offset + x

    assert asynq()(Adder().add)(1) == 11


# Names and documentation


@pytest.mark.parametrize("form", [None, "asynq", "asyncio"])
def test_the_documentation_is_that_of_the_function(fn, form):
    call = fn if form is None else getattr(fn, form)
    assert inspect.getdoc(call) == "Documentation of the function."


def test_help_shows_the_signature_of_a_function_and_its_documentation():
    text = pydoc.plaintext.document(FUNCTIONS["generator"], "generator")
    assert text.splitlines() == [
        "generator(x: 'int', /, *rest: 'str', y: 'float' = 1.0, **others: 'bool') -> str",
        "    Documentation of the function.",
    ]


def test_help_of_a_class_has_its_methods():
    text = pydoc.plaintext.document(Service)
    assert " |  method(self, id: 'int') -> str\n |      Documentation of the method.\n" in text


def test_a_method_has_the_name_of_its_function():
    method = Service().method
    assert (method.__name__, method.__qualname__) == ("method", "Service.method")
    assert method.asynq.__qualname__ == "Service.method.asynq"


def test_the_source_is_that_of_the_function():
    assert "yield None" in inspect.getsource(FUNCTIONS["generator"])
    assert "Documentation of the method." in inspect.getsource(Service().method)


def test_no_tool_takes_a_decorated_function_for_a_generator_function(fn):
    assert not inspect.isgeneratorfunction(inspect.unwrap(fn))


# Frameworks


def answer(app, path):
    async def get():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get(path)).json()

    return asyncio.run(get())


@pytest.mark.parametrize("form", [None, "asyncio"])
@pytest.mark.parametrize("name", METHODS[:-1])
def test_a_method_is_a_handler_of_fastapi(name, form):
    method = getattr(Service(), name)
    app = FastAPI()
    app.get("/{id}")(method if form is None else getattr(method, form))
    assert answer(app, "/3") == "3"


@pytest.mark.parametrize("form", [None, "asyncio"])
def test_a_method_is_a_dependency_of_fastapi(form):
    method = Service().method if form is None else Service().method.asyncio
    app = FastAPI()

    @app.get("/{id}")
    def handler(value=Depends(method)):  # noqa: B008
        return value

    assert answer(app, "/3") == "3"


def test_fastapi_refuses_an_argument_of_the_wrong_type():
    app = FastAPI()
    app.get("/{id}")(Service().method.asyncio)
    assert answer(app, "/three")["detail"][0]["type"] == "int_parsing"


@strawberry.type
class Query:
    @strawberry.field
    @asynq()
    def decorated(self, id: int) -> str:
        return str(id)

    by_asyncio: str = strawberry.field(resolver=Service().method.asyncio)


def test_a_method_is_a_resolver_of_strawberry():
    result = asyncio.run(strawberry.Schema(Query).execute("{ decorated(id: 3) byAsyncio(id: 4) }"))
    assert (result.errors, result.data) == (None, {"decorated": "3", "byAsyncio": "4"})


def test_decorated_functions_are_tests_and_fixtures_of_pytest(tmp_path):
    (tmp_path / "test_decorated.py").write_text("""
import pytest
from asynq import ConstFuture, asynq

@pytest.fixture
@asynq()
def three(request):
    return (yield ConstFuture(3))

@asynq()
def test_function(three):
    assert (yield ConstFuture(3)) == three

@asynq()
async def test_coroutine_function(three):
    assert await ConstFuture(3) == three

@asynq()
def test_fails(three):
    assert (yield ConstFuture(4)) == three

@pytest.mark.parametrize("n", [3, 4])
@asynq()
def test_parametrized(n, three):
    assert (yield ConstFuture(n)) >= three

class TestClass:
    @pytest.mark.parametrize("n", [3, 4])
    @asynq()
    def test_method(self, n, three):
        assert (yield ConstFuture(n)) >= three
""")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "test_decorated.py::test_fails" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 failed, 6 passed")


def test_decorated_methods_are_tests_of_unittest():
    class Case(unittest.TestCase):
        @asynq()
        def test_passes(self):
            """First line.

            More.
            """
            assert (yield ConstFuture(3)) == 3

        @asynq()
        def test_fails(self):
            assert (yield ConstFuture(3)) == 4

        @unittest.expectedFailure
        @asynq()
        def test_fails_as_expected(self):
            assert (yield ConstFuture(3)) == 4

        @asynq()
        async def test_coroutine_function(self):
            assert await ConstFuture(3) == 3

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert Case("test_passes").shortDescription() == "First line."
    assert Case("test_fails").shortDescription() is None
    assert (result.testsRun, len(result.failures), len(result.expectedFailures)) == (4, 1, 1)
    assert result.errors == []
