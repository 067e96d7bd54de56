"""The package has the names, parameters and defaults of asynq 1.6.0."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest
from reference_api import CLASSES, EXPORTS, FUNCTIONS, METHODS, MODULES, OPTIONS, VALUES

import asynq
from asynq import _asynq

# A constructor, its parameters, and arguments that it takes by these names.
CONSTRUCTORS = [
    ("futures.FutureBase", {}),
    ("futures.Future", {"value_provider": int}),
    ("futures.ConstFuture", {"value": 1}),
    ("futures.ErrorFuture", {"error": KeyError("x")}),
    ("async_task.AsyncTaskResult", {"result": 1}),
    (
        "async_task.AsyncTask",
        {"generator": (x for x in ()), "fn": len, "args": (), "kwargs": {}},
    ),
    ("batching.BatchBase", {}),
    ("batching.BatchItemBase", {"batch": asynq.BatchBase()}),
    ("batching.DebugBatch", {"name": "a", "index": 1}),
    ("batching.DebugBatchItem", {"batch_name": "a", "result": 1}),
    ("decorators.PureAsyncDecorator", {"fn": len, "task_cls": asynq.AsyncTask}),
    ("decorators.AsyncDecorator", {"fn": len, "cls": asynq.AsyncTask, "kwargs": {}}),
    (
        "decorators.AsyncAndSyncPairDecorator",
        {"fn": len, "cls": asynq.AsyncTask, "sync_fn": len, "kwargs": {}, "asyncio_fn": None},
    ),
    ("decorators.AsyncProxyDecorator", {"fn": len, "asyncio_fn": None}),
    ("decorators.AsyncAndSyncPairProxyDecorator", {"fn": len, "sync_fn": len}),
    ("decorators.AsyncWrapper", {"fn": len, "wrapper_fn": len, "name": "a"}),
    ("generator.Value", {"value": 1}),
    ("scheduler.TaskScheduler", {}),
    ("scoped_value.AsyncScopedValue", {"default": 1}),
    ("scoped_value.async_override", {"target": len, "property_name": "a", "value": 1}),
    ("tools.AsyncTimer", {}),
    ("tools.AsyncEventHook", {"handlers": [len]}),
    ("tools.DeduplicateDecorator", {"fn": len, "task_cls": asynq.AsyncTask, "keygetter": len}),
]

EXPORTED = [(module, name) for module, names in EXPORTS.items() for name in names.split()]


def lines(text):
    return text.strip().splitlines()


def named(path):
    """Returns the object with a path such as `debug.options`."""
    module, *attributes = path.split(".")
    try:
        found = importlib.import_module(f"asynq.{module}")
    except ImportError:
        found = importlib.import_module(module)
    for attribute in attributes:
        found = getattr(found, attribute)
    return found


def parameters(function, of_class=False):
    """Returns the parameters of a function as text, without annotations."""
    function = getattr(function, "decorator", function)
    listed = list(inspect.signature(getattr(function, "fn", function)).parameters.values())
    texts = []
    for parameter in listed[1:] if of_class else listed:
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = ""
        if parameter.default is not parameter.empty:
            value = parameter.default
            default = "=" + (value.__name__ if isinstance(value, type) else repr(value))
        texts.append(stars + parameter.name + default)
    return ", ".join(texts)


def split(line):
    path, _, expected = line.removesuffix(")").partition("(")
    return path, expected.replace("+", "")


@pytest.mark.parametrize("line", lines(FUNCTIONS))
def test_functions_have_these_parameters(line):
    path, expected = split(line)
    assert parameters(named(path)) == expected


@pytest.mark.parametrize("line", lines(METHODS))
def test_methods_have_these_parameters(line):
    path, expected = split(line)
    assert parameters(named(path), of_class=True) == expected


@pytest.mark.parametrize("line", lines(CLASSES))
def test_classes_have_these_bases(line):
    path, base = split(line)
    assert issubclass(named(path), named(base))


@pytest.mark.parametrize("line", lines(CLASSES))
def test_classes_say_where_they_are(line):
    found = named(split(line)[0])
    assert found.__module__ != "asynq._asynq"
    assert getattr(importlib.import_module(found.__module__), found.__name__) is found


@pytest.mark.parametrize(("path", "arguments"), CONSTRUCTORS)
@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_constructors_take_these_arguments_by_name(path, arguments):
    constructor = named(path)
    assert isinstance(constructor(**arguments), constructor)


@pytest.mark.parametrize(("path", "arguments"), CONSTRUCTORS)
@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_constructors_take_these_arguments_in_order(path, arguments):
    constructor = named(path)
    assert isinstance(constructor(*arguments.values()), constructor)


@pytest.mark.parametrize(("path", "arguments"), CONSTRUCTORS)
def test_constructors_take_no_other_arguments(path, arguments):
    with pytest.raises(TypeError):
        named(path)(**arguments, unheard_of=1)


@pytest.mark.parametrize("path", lines(VALUES))
def test_values_are_there(path):
    named(path)  # Raises if it is not.


@pytest.mark.parametrize(("name", "default"), OPTIONS.items())
def test_options_have_these_defaults(name, default):
    assert getattr(asynq._debug.DebugOptions(), name) == default


def test_there_are_no_other_options():
    found = {name for name in dir(asynq.debug.options) if re.fullmatch("[A-Z_]+", name)}
    assert found == {*OPTIONS, "DUMP_ALL", "MAX_TASK_STACK_SIZE"}


@pytest.mark.parametrize(("module", "name"), EXPORTED)
def test_the_package_exports_what_its_modules_define(module, name):
    assert getattr(asynq, name) is named(f"{module}.{name}")


def test_a_star_import_gives_these_names():
    names = {}
    exec("from asynq import *", names)
    del names["__builtins__"]
    assert set(names) == {*MODULES, *(name for _, name in EXPORTED)}


def test_loaders_can_be_imported_from_the_package():
    for name in ("Loader", "loader", "LoadError", "LoadTimeoutError", "MissingKeyError"):
        assert getattr(asynq, name) is getattr(asynq.loaders, name)


@pytest.mark.parametrize("module", MODULES)
def test_modules_can_be_imported_by_name(module):
    assert importlib.import_module(f"asynq.{module}") is not None


@pytest.mark.parametrize("module", MODULES)
def test_modules_define_what_they_export(module):
    module = importlib.import_module(f"asynq.{module}")
    assert set(module.__all__) <= set(vars(module))


@pytest.mark.parametrize("module", MODULES)
def test_modules_can_be_imported_first(module):
    program = f"import asynq.{module}, sys; print('asynq.{module}' in sys.modules)"
    # A free-threaded interpreter warns that it enables the GIL.
    options = ["-I", "-W", "ignore:The global interpreter lock:RuntimeWarning"]
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_version_is_that_of_the_distribution():
    assert re.match(r"\d+\.\d+", asynq.__version__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="unheard_of"):
        asynq.unheard_of  # noqa: B018


@pytest.mark.parametrize("name", sorted(vars(_asynq)))
def test_what_is_written_in_rust_is_documented(name):
    if not name.startswith("_"):
        assert getattr(_asynq, name).__doc__


@pytest.mark.parametrize("forbidden", ["qcore", "pygments", "IPython"])
def test_nothing_else_is_imported(forbidden):
    program = f"import asynq, sys; print('{forbidden}' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"
