"""Functions of all kinds that double a number."""

import asyncio

from asynq import async_proxy, asynq, make_async_decorator
from asynq.batching import DebugBatchItem
from asynq.decorators import lazy


def plain_double(x):
    return 2 * x


@asynq()
def double(x):
    return 2 * x


@asynq()
def double_in_two_steps(x):
    return (yield double.asynq(x))


@asynq(pure=True)
def pure_double(x):
    return (yield double.asynq(x))


@async_proxy()
def proxied_double(x):
    return double.asynq(x)


@asynq(sync_fn=plain_double)
def paired_double(x):
    return 20 * x


@lazy
def lazy_double(x):
    return 2 * x


def twice(fn):
    @asynq(pure=True)
    def wrapper(*args, **kwargs):
        return 2 * (yield fn.asynq(*args, **kwargs))

    return make_async_decorator(fn, wrapper, "twice")


async def double_in_asyncio(x):
    await asyncio.sleep(0)
    return 2 * x


@asynq(asyncio_fn=double_in_asyncio)
def double_by_batch(x):
    return (yield DebugBatchItem(result=2 * x))
