"""Pickling and copying of decorated functions and methods."""

import copy
import pickle
import subprocess
import sys

import pytest

from asynq import asynq
from asynq.tools import deduplicate


@asynq()
def double(x):
    return 2 * x


class Shape:
    def __init__(self, size=1):
        self.size = size

    @asynq()
    def scaled(self, factor):
        return self.size * factor

    @asynq()
    @classmethod
    def named(cls, suffix):
        return cls.__name__ + suffix

    @asynq()
    @staticmethod
    def half(x):
        return x // 2

    @asynq(pure=True)
    def pure(self, factor):
        return self.size * factor

    @asynq(sync_fn=lambda self, factor: -self.size * factor)
    def pair(self, factor):
        return self.size * factor

    @deduplicate()
    @asynq()
    def shared(self, factor):
        return self.size * factor


class Square(Shape):
    @asynq()
    def scaled(self, factor):
        return super().scaled(factor) ** 2


def pickled(protocol):
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": pickled(n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.fixture(params=WAYS)
def again(request):
    return WAYS[request.param]


def test_a_function_stays_the_same(again):
    assert again(double) is double


@pytest.mark.parametrize(
    ("method", "args", "value"),
    [
        (Shape(3).scaled, (2,), 6),
        (Square(3).scaled, (2,), 36),
        (super(Square, Square(3)).scaled, (2,), 6),
        (Shape.scaled, (Shape(3), 2), 6),
        (Shape.named, ("!",), "Shape!"),
        (Square().named, ("!",), "Square!"),
        (Shape.half, (6,), 3),
        (Shape(3).pair, (2,), -6),
        (Shape(3).shared, (2,), 6),
    ],
    ids=lambda value: str(value)[:40] if callable(value) else "",
)
def test_a_method_goes_on_to_belong_to_its_object(again, method, args, value):
    assert again(method)(*args) == value
    assert again(method.asynq)(*args).value() == (6 if value == -6 else value)


def test_a_pure_method_can_be_copied(again):
    assert again(Shape(3).pure)(2).value() == 6


def test_a_shallow_copy_has_the_same_object():
    method = Shape(3).scaled
    assert copy.copy(method).instance is method.instance


def test_a_deep_copy_has_an_object_of_its_own():
    method = Shape(3).scaled
    assert copy.deepcopy(method).instance is not method.instance


def test_a_deep_copy_of_an_object_and_its_method_has_one_object():
    shape = Shape(3)
    shape, method = copy.deepcopy([shape, shape.scaled])
    assert method.instance is shape


def test_a_local_function_can_be_copied():
    @asynq()
    def local(x):
        return x

    assert copy.copy(local) is copy.deepcopy([local])[0] is local


def test_a_function_that_cannot_be_found_is_an_error_that_names_it():
    @asynq()
    def local(x):
        raise NotImplementedError

    with pytest.raises(TypeError, match=r"test_pickling.*<locals>.local, failed to find it"):
        pickle.loads(pickle.dumps(local))


def test_another_process_imports_the_module_of_a_method(tmp_path):
    (tmp_path / "shapes.py").write_text("""
from asynq import asynq
class Shape:
    @asynq()
    def scaled(self, factor):
        return 3 * factor
""")
    dump = (
        "import pickle, shapes, sys; sys.stdout.buffer.write(pickle.dumps(shapes.Shape().scaled))"
    )
    load = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read())(2))"
    first = subprocess.run(
        [sys.executable, "-c", dump], cwd=tmp_path, capture_output=True, check=True
    )
    second = subprocess.run(
        [sys.executable, "-c", load],
        cwd=tmp_path,
        input=first.stdout,
        capture_output=True,
        check=True,
    )
    assert second.stdout.strip() == b"6"
