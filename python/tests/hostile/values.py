"""Values of all kinds, which a `Program` uses as arguments and attributes."""

import contextlib

import asynq

from . import surface


@contextlib.contextmanager
def changing(program, container):
    """Keeps keys from changing a container in the block, in which the program changes it.

    CPython itself crashes if the `__eq__` of a key changes a dict that it is inserted into.
    """
    program.unchanging.append(id(container))
    try:
        yield
    finally:
        program.unchanging.remove(id(container))


def change(program, container):
    """Adds something to a list or dict, or removes something."""
    if id(container) in program.unchanging:
        return
    with changing(program, container):
        _change(program, container)


def _change(program, container):
    method = program.random.choice(["clear", "pop", "insert", "insert"])
    if method == "clear":
        container.clear()
    elif method == "pop":
        container.pop() if isinstance(container, list) else container.popitem()
    elif isinstance(container, list):
        container.insert(0, program.pick(asynq.FutureBase)[1])
    else:
        key = program.random.choice([odd_key(program), 1, 2])
        container[key] = program.pick(asynq.FutureBase)[1]


def new_hook(program, place):
    def hook(*args, **kwargs):
        program.act(place)

    return hook


def new_generator(program):
    program.act("generator")
    yield program.odd()
    program.act("generator")
    yield program.odd()


def an_int(program):
    return program.random.choice([0, 1, -1, 3, 2**63, -(2**63), 2**100])


def a_text(program):
    return program.random.choice(["", "a key", "\ud800", b"", b"bytes"])


def a_number(program):
    return program.random.choice([True, False, 1.5, float("nan"), float("inf"), 1j])


def an_error(program):
    return program.random.choice(
        [
            *(ValueError("x"), ValueError, KeyboardInterrupt(), SystemExit(3)),
            *(StopIteration(1), GeneratorExit(), asynq.AsyncTaskResult(1)),
            *(asynq.AsyncTaskCancelledError(), asynq.FutureIsAlreadyComputed(None)),
        ]
    )


def a_class(program):
    return program.random.choice([int, object, type, *surface.CLASSES])


def a_container(program):
    return program.random.choice([[], (), {}, {"a": 1}, [1, 2], (None,), range(3), {1, 2}])


def a_generator(program):
    return new_generator(program)


def a_hook(program):
    return new_hook(program, "a hook")


def odd_key(program, container=None):
    """Returns a key that acts, and changes a container, when it is compared or hashed."""

    def act(place):
        program.act(place)
        if container and program.random.random() < 0.4:
            change(program, container)

    class Key:
        def __hash__(self):
            act("__hash__")
            return 1

        def __eq__(self, other):
            act("__eq__")
            return self is other

        def __len__(self):
            act("__len__")
            return 1

        def __iter__(self):
            act("__iter__")
            return iter([1])

        def __getattr__(self, name):
            act(f"__getattr__ of {name}")
            raise AttributeError(name)

        def __del__(self):
            act("__del__")

    return Key()


ODD = [
    *(an_int, a_text, a_number, an_error, a_class),
    *(a_container, a_generator, a_hook, odd_key),
]
