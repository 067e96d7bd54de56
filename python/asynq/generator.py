"""Generators that can wait for futures between the values they produce.

Inside an `@async_generator()`, `yield` waits for a future as in an `@asynq()` function, and
`yield Value(x)` produces `x`. For its caller, such a generator is an iterator of futures:

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

The caller must wait for each future before it takes the next one. If a generator waits for
something after its last value, its last future has the value `END_OF_GENERATOR`, because the
generator cannot know earlier that no value follows:

    for future in squares(4):
        value = yield future
        if value is END_OF_GENERATOR:
            continue
        ...

An `async for` loop in an `async def` function does all of that. The generator may be an `async def`
function, too: it awaits futures, and its `yield x` produces `x`.

>>> @async_generator()
... async def squares(n):
...     for i in range(n):
...         yield await square.asynq(i)
>>> @asynq()
... async def sum_of_squares(n):
...     total = 0
...     async for value in squares(n):
...         total += value
...     return total
>>> sum_of_squares(4)
14
"""

import functools
import inspect
import operator
import types

from ._asynq import ConstFuture, count_as_asked
from ._forgotten import may_be_dropped
from ._validation import check_callable
from .decorators import async_proxy, asynq

__all__ = ["END_OF_GENERATOR", "Value", "async_generator", "list_of_generator", "take_first"]


class _EndOfGenerator:
    def __repr__(self):
        return "end of generator"

    def __reduce__(self):
        return "END_OF_GENERATOR"


#: The value of the last future of some generators. Callers must ignore it.
END_OF_GENERATOR = _EndOfGenerator()


class Value:
    """Wrapper with which an `@async_generator()` produces `value`: `yield Value(value)`."""

    __class_getitem__ = classmethod(types.GenericAlias)

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"<Value: {self.value!r}>"


def async_generator():
    """Makes a decorator for generator functions that both wait for futures and produce values."""

    def decorator(fn):
        check_callable("the argument of @async_generator()", fn)
        is_native = inspect.isasyncgenfunction(fn)

        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            generator = fn(*args, **kwargs)
            if is_native:
                return _NativeAsyncGenerator(generator)
            if not hasattr(generator, "send"):
                raise TypeError(
                    f"@async_generator() needs a generator function, but {fn!r} returned"
                    f" {generator!r}"
                )
            return _AsyncGenerator(generator)

        return wrapped

    return decorator


@asynq()
def list_of_generator(generator):
    """Returns all values of an async generator as a list."""
    values = []
    for future in generator:
        value = yield future
        if value is not END_OF_GENERATOR:
            values.append(value)
    return values


@asynq()
def take_first(generator, n):
    """Returns the first `n` values of an async generator as a list, or all if there are fewer.

    The generator stays suspended after these values: the next call returns the values that follow.

    Raises `TypeError` if `n` is not an int.
    """
    n = operator.index(n)
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
    """The iterator of futures that an `@async_generator()` function returns."""

    def __init__(self, generator):
        self.generator = generator
        self.last_task = None
        self.is_stopped = False

    def __iter__(self):
        return self

    def __aiter__(self):
        return self

    async def __anext__(self):
        while True:
            try:
                future = next(self)
            except StopIteration:
                raise StopAsyncIteration from None
            value = await future
            if value is not END_OF_GENERATOR:
                return value

    async def aclose(self):
        """Closes the generator, which then produces no more values."""
        self.is_stopped = True
        self.generator.close()

    @async_proxy(pure=True)
    def next(self):
        """Returns the future of the next value.

        Raises `StopIteration` if the generator has ended.
        """
        return self.send.asynq(None)

    __next__ = next

    @async_proxy()
    def send(self, value):
        """Resumes the generator with `value`, and returns the future of the next value.

        Raises `RuntimeError` if the previous future is still pending, and `StopIteration` if the
        generator has ended.
        """
        if self.last_task is not None and not self.last_task.is_computed():
            raise RuntimeError("You must compute the previous task before advancing the generator")
        if self.is_stopped:
            raise StopIteration
        return self._start(value)

    def _start(self, value):
        # Runs to the next yield immediately, since most generators end there without waiting.
        yielded = self._advance(value)
        if isinstance(yielded, Value):
            return ConstFuture(yielded.value)
        # The collector may find it before the task that is to await it.
        count_as_asked(yielded)
        self.last_task = self._run_to_value.asynq(yielded)
        return self.last_task

    @asynq()
    @may_be_dropped
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


class _NativeAsyncGenerator(_AsyncGenerator):
    """The iterator that an `async def` function with `@async_generator()` returns."""

    def _start(self, value):
        # Only a task can run it, because it awaits.
        self.last_task = self._run_to_value.asynq(value)
        return self.last_task

    @asynq()
    @may_be_dropped
    async def _run_to_value(self, value):
        try:
            produced = await self.generator.asend(value)
        except StopAsyncIteration:
            self.is_stopped = True
            return END_OF_GENERATOR
        return produced.value if isinstance(produced, Value) else produced

    async def aclose(self):
        self.is_stopped = True
        await self.generator.aclose()
