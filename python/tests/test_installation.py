"""Installation beside the original asynq, whose files have the same names, with real pip.

The wheels are made by hand: ours of the files that are installed here, and a small one with the
files of the original that matter.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import asynq
from asynq import _asynq

SHIM = Path(__file__).parents[1] / "asynq-shim"


def make_wheel(folder, name, version, files, requires=()):
    """Writes a wheel of `files`, a dictionary of contents by path."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    files = {
        **files,
        f"{info}/METADATA": "\n".join(metadata).encode() + b"\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
    }
    lines = []
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            lines.append(f"{path},sha256={digest.decode()},{len(content)}\n")
        wheel.writestr(f"{info}/RECORD", "".join([*lines, f"{info}/RECORD,,\n"]))


def our_files():
    package = Path(asynq.__file__).parent
    paths = [*package.rglob("*.py"), Path(_asynq.__file__)]
    return {f"asynq/{path.relative_to(package).as_posix()}": path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder of wheels: ours, the original, and packages that require `asynq`."""
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "asynq_rs", "0.1.0", our_files())
    original = {
        "asynq/__init__.py": b"from .decorators import asynq\n",
        "asynq/decorators.py": b"asynq = 'the original'\n",
        f"asynq/futures{EXTENSION_SUFFIXES[0]}": b"not really an extension module",
    }
    make_wheel(folder, "asynq", "1.6.0", original)
    app = {"app.py": b"from asynq import asynq\nprint(asynq()(lambda: 'runs')())\n"}
    make_wheel(folder, "app", "1.0", app, ["asynq"])
    make_wheel(folder, "pinned_app", "1.0", app, ["asynq==1.6.0"])
    return folder


@pytest.fixture(scope="module")
def wheels_and_shim(wheels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels_and_shim")
    shutil.copytree(wheels, folder, dirs_exist_ok=True)
    source = tmp_path_factory.mktemp("source") / "shim"  # The build writes into its folder.
    shutil.copytree(SHIM, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    return folder


class Environment:
    def __init__(self, folder, wheels):
        self.wheels = wheels
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = next(folder.glob("[bS]*/python*"))

    def pip(self, command, *arguments):
        """Runs pip of this interpreter on the environment."""
        run = [sys.executable, "-m", "pip", "--python", self.python, command]
        if command == "install":
            run += ["--no-compile", "--no-index", "--find-links", self.wheels]
        subprocess.run([*run, *arguments], check=True, capture_output=True)

    def run(self, code):
        """Returns what a program prints, or the last lines of its traceback."""
        program = [self.python, "-c", code]
        run = subprocess.run(program, check=False, capture_output=True, text=True)
        return run.stdout.strip() or run.stderr.partition("Error: ")[2].strip()


@pytest.fixture
def environment(tmp_path, wheels):
    return Environment(tmp_path / "venv", wheels)


@pytest.fixture
def environment_and_shim(tmp_path, wheels_and_shim):
    return Environment(tmp_path / "venv", wheels_and_shim)


RUN = "from asynq import asynq; print(asynq()(lambda: 'runs')())"


def advice(message):
    """Returns the command in an error message, without its Python."""
    return re.sub(r"\S+ -m pip", "pip", message.splitlines()[-1].strip())


ADVICE = "pip uninstall -y asynq asynq-rs && pip install --force-reinstall asynq-rs"


def test_the_package_alone_can_be_imported(environment):
    environment.pip("install", "asynq-rs")
    assert environment.run(RUN) == "runs"


def test_installed_over_the_original_it_names_a_foreign_file_and_the_command(environment):
    environment.pip("install", "asynq")
    environment.pip("install", "asynq-rs")
    message = environment.run(RUN)
    assert f"such as futures{EXTENSION_SUFFIXES[0]}" in message
    assert advice(message) == ADVICE
    assert str(environment.python) in message


def test_under_the_original_its_own_modules_say_what_to_do(environment):
    environment.pip("install", "asynq-rs")
    environment.pip("install", "asynq")
    assert environment.run("import asynq; print(asynq.asynq)") == "the original"
    for module in ["loaders", "stores.sqlite"]:
        assert advice(environment.run(f"import asynq.{module}")) == ADVICE


@pytest.mark.parametrize("order", [["asynq", "asynq-rs"], ["asynq-rs", "asynq"]])
def test_without_the_original_its_own_modules_say_what_to_do(environment, order):
    for distribution in order:
        environment.pip("install", distribution)
    environment.pip("uninstall", "-y", "asynq")
    message = environment.run("import asynq.loaders")
    assert "has lost files of asynq-rs" in message
    assert advice(message) == ADVICE


@pytest.mark.parametrize(
    ("first", "second", "uninstalled"),
    [
        ("asynq", "asynq-rs", "asynq-rs"),
        ("asynq-rs", "asynq", "asynq"),
    ],
)
def test_the_command_mends_every_mixture(environment, first, second, uninstalled):
    environment.pip("install", first)
    environment.pip("install", second)
    environment.pip("uninstall", "-y", uninstalled)
    environment.pip("uninstall", "-y", "asynq", "asynq-rs")
    environment.pip("install", "--force-reinstall", "asynq-rs")
    assert environment.run(RUN) == "runs"


@pytest.mark.parametrize("app", ["app", "pinned_app"])
def test_with_the_shim_other_packages_get_this_one(environment_and_shim, app):
    environment_and_shim.pip("install", app)
    assert environment_and_shim.run("import app") == "runs"
    environment_and_shim.pip("check")


def test_an_installed_shim_keeps_the_original_away(environment_and_shim, wheels):
    environment_and_shim.pip("install", "asynq==1.6.0+rs")
    environment_and_shim.wheels = wheels  # Only the original is on offer.
    environment_and_shim.pip("install", "pinned-app")
    assert environment_and_shim.run("import app") == "runs"


def test_a_constraint_makes_other_packages_require_the_shim(environment, wheels_and_shim, tmp_path):
    shim = next(wheels_and_shim.glob("asynq-*+rs-*"))
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"asynq @ {shim.as_uri()}\n")
    environment.pip("install", "--constraint", constraints, "pinned-app")
    assert environment.run("import app") == "runs"
