"""Generators that wait for futures between the values they produce.

Inside an `@async_generator()`, `yield` waits for a future as in an `@asynq()` function, and
`yield Value(x)` produces `x`. Outside, such a generator is a sequence of futures:

>>> from asynq import asynq
>>> @asynq()
... def square(x):
...     return x * x
>>> @async_generator()
... def squares(n):
...     for i in range(n):
...         yield Value((yield square.asynq(i)))
>>> list_of_generator(squares(4))
[0, 1, 4, 9]

Each future has to be computed before the next is asked for. A generator that waits for something
after its last value produces `END_OF_GENERATOR` as one more value, since nobody can know beforehand
that it won't produce another:

    for future in squares(4):
        value = yield future
        if value is END_OF_GENERATOR:
            continue
        ...
"""

import functools
import types

from ._asynq import ConstFuture
from .decorators import async_proxy, asynq

__all__ = ["END_OF_GENERATOR", "Value", "async_generator", "list_of_generator", "take_first"]


class _EndOfGenerator:
    def __repr__(self):
        return "end of generator"

    def __reduce__(self):
        return "END_OF_GENERATOR"


#: The value to ignore that some generators end with.
END_OF_GENERATOR = _EndOfGenerator()


class Value:
    """What an `@async_generator()` yields to produce `value`, not to wait for it."""

    __class_getitem__ = classmethod(types.GenericAlias)

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"<Value: {self.value!r}>"


def async_generator():
    """Makes a generator function that can both wait for futures and produce values."""

    def decorator(fn):
        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            return _AsyncGenerator(fn(*args, **kwargs))

        return wrapped

    return decorator


@asynq()
def list_of_generator(generator):
    """All values of an async generator, as a list."""
    values = []
    for future in generator:
        value = yield future
        if value is not END_OF_GENERATOR:
            values.append(value)
    return values


@asynq()
def take_first(generator, n):
    """The first `n` values of an async generator, or all if there are fewer, as a list.

    The generator stays where it is: the next call goes on with the next value.
    """
    values = []
    futures = iter(generator)
    while len(values) < n:
        try:
            future = next(futures)
        except StopIteration:
            break
        value = yield future
        if value is not END_OF_GENERATOR:
            values.append(value)
    return values


class _AsyncGenerator:
    """An iterator of futures; `send` is that of ordinary generators, in both call forms."""

    def __init__(self, generator):
        self.generator = generator
        self.last_task = None
        self.is_stopped = False

    def __iter__(self):
        return self

    @async_proxy(pure=True)
    def next(self):
        """The future of the next value. Raises `StopIteration` where no more can come."""
        return self.send.asynq(None)

    __next__ = next

    @async_proxy()
    def send(self, value):
        """The future of the next value; `value` is what the generator's `yield` gives.

        Raises `RuntimeError` if the future before is not computed yet.
        """
        if self.last_task is not None and not self.last_task.is_computed():
            raise RuntimeError("You must compute the previous task before advancing the generator")
        if self.is_stopped:
            raise StopIteration
        # Goes to the first yield at once: often that tells whether this is the end.
        yielded = self._advance(value)
        if isinstance(yielded, Value):
            return ConstFuture(yielded.value)
        self.last_task = self._run_to_value.asynq(yielded)
        return self.last_task

    @asynq()
    def _run_to_value(self, yielded):
        while not isinstance(yielded, Value):
            result = yield yielded
            try:
                yielded = self._advance(result)
            except StopIteration:
                return END_OF_GENERATOR
        return yielded.value

    def _advance(self, value):
        try:
            return self.generator.send(value)
        except StopIteration:
            self.is_stopped = True
            raise

    def __repr__(self):
        stopped = " stopped" if self.is_stopped else ""
        return f"<@async_generator() {self.generator}{stopped}>"
