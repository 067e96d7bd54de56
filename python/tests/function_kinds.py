"""An async function of each kind: a generator, a coroutine function, a plain one."""

import pytest

from asynq import asynq
from asynq.batching import DebugBatchItem


@asynq()
def by_yield(x):
    return (yield DebugBatchItem(result=2 * x))


@asynq()
async def by_await(x):
    return await DebugBatchItem(result=2 * x)


@asynq()
def plain(x):
    return 2 * x


KINDS = pytest.mark.parametrize("fn", [by_yield, by_await, plain], ids=lambda fn: fn.__name__)
