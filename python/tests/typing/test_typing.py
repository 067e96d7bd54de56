"""The stubs: they suit type checkers, and agree with the modules.

The files in `well_typed` use the package as programs do, in functions without parameters. Type
checkers must accept them, and the functions must run. `ill_typed.py` has the mistakes that type
checkers must report.
"""

import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asynq

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parent.parent
EXAMPLES = PYTHON / "examples"
WELL_TYPED = FOLDER / "well_typed"
ILL_TYPED = FOLDER / "ill_typed.py"


def programs():
    """Returns the functions of the well-typed files that have no parameters."""
    for path in sorted(WELL_TYPED.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"well_typed_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for function in vars(module).values():
            of_module = inspect.isfunction(function) and function.__module__ == module.__name__
            if of_module and function.__annotations__ == {"return": "None"}:
                yield function


# For tools that don't import the extension, nor bear what a sanitizer has preloaded for it.
UNSANITIZED = {"LD_PRELOAD": None, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder outside of python/, where `import asynq` would find the sources."""
    return tmp_path_factory.mktemp("typing")


def run(folder, *command, **variables):
    """Returns the output and exit status of a tool. Variables that are None are unset."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder,
        env={name: value for name, value in environment.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout, done.returncode


def mypy(folder, *arguments):
    command = ["mypy", "--strict", "--config-file", PYTHON / "pyproject.toml"]
    command += ["--cache-dir", folder, "--no-error-summary", "--no-pretty"]
    return run(folder, *command, *arguments, **UNSANITIZED)


def pyright(folder, *arguments):
    command = ["pyright", "--outputjson", "--pythonpath", sys.executable]
    # The interpreter tells pyright where it imports from.
    text, _ = run(folder, *command, *arguments, PYTHONPATH=str(EXAMPLES), **UNSANITIZED)
    report = json.loads(text)
    assert report["summary"]["filesAnalyzed"] > 0
    return report["generalDiagnostics"]


def marked(group):
    """Returns the codes or rules that `ill_typed.py` expects, by line."""
    expected = {}
    for number, line in enumerate(ILL_TYPED.read_text().splitlines(), 1):
        mark = re.search(r"# E: (?P<mypy>\S+) / (?P<pyright>\S+)$", line)
        if mark and mark[group] != "-":
            expected[number] = set(mark[group].split(","))
    return expected


@pytest.mark.parametrize(
    "arguments",
    [
        [WELL_TYPED],
        ["-p", "chinook", "-p", "memcached", "-p", "graphql_server", "-p", "servers"],
        ["-p", "asynq"],
    ],
    ids=["well_typed", "examples", "stubs"],
)
def test_mypy_objects_to_nothing_in(arguments, folder):
    assert mypy(folder, *arguments) == ("", 0)


def test_mypy_objects_to_every_mistake(folder):
    found = {}
    text, _ = mypy(folder, ILL_TYPED)
    for number, code in re.findall(r"^.+?:(\d+): error: .*\[(\S+)\]$", text, re.MULTILINE):
        found.setdefault(int(number), set()).add(code)
    assert found == marked("mypy")


@pytest.mark.parametrize("path", [WELL_TYPED, EXAMPLES], ids=["well_typed", "examples"])
def test_pyright_objects_to_nothing_in(path, folder):
    assert pyright(folder, path) == []


def test_pyright_objects_to_every_mistake(folder):
    found = {}
    for error in pyright(folder, ILL_TYPED):
        found.setdefault(error["range"]["start"]["line"] + 1, set()).add(error["rule"])
    assert found == marked("pyright")


@pytest.mark.parametrize("program", list(programs()), ids=lambda program: program.__name__)
@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_well_typed_programs_run(program):
    program()


def test_the_stubs_agree_with_the_modules(folder):
    # Not all of the list is needed with every version of Python and of stubtest.
    exceptions = ["--allowlist", FOLDER / "stubtest_allowlist.txt", "--ignore-unused-allowlist"]
    assert run(folder, "mypy.stubtest", "asynq", "--concise", *exceptions) == ("", 0)


def test_no_type_is_left_open(tmp_path):
    # Pyright asks the first interpreter on the PATH where modules are, and then does not follow an
    # editable installation.
    (tmp_path / "asynq").symlink_to(Path(asynq.__file__).parent)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["pyright", "--outputjson", "--verifytypes", "asynq", "--ignoreexternal"]
    text, _ = run(tmp_path, *command, **UNSANITIZED, PATH=path, PYTHONPATH=str(tmp_path))
    completeness = json.loads(text)["typeCompleteness"]
    assert completeness["exportedSymbolCounts"]["withKnownType"] > 0
    assert completeness["completenessScore"] == 1
