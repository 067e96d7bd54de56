"""`gather`, which waits for several awaitables at once."""

from ._asynq import Gather

__traceback_hide__ = True


def gather(*awaitables, return_exceptions=False):
    """Returns an awaitable for the values of several others, as `asyncio.gather` does.

    The value is a list with the value of each argument. An argument is a future, a coroutine, or a
    list, tuple or dictionary of them, nested as you like, whose value has the same shape.

    >>> import asynq
    >>> @asynq.asynq()
    ... async def square(x):
    ...     return x * x
    >>> @asynq.asynq()
    ... async def squares(xs):
    ...     return await asynq.gather(*[square.asynq(x) for x in xs])
    >>> squares([3, 4])
    [9, 16]

    All of them run to their end, also if one fails. Then the error of the first that failed, in the
    order given, is raised. With `return_exceptions`, errors are in the list in place of values.
    """
    return Gather(awaitables, return_exceptions)
