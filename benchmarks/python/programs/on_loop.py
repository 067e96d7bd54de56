"""Loads on an event loop, with a loader and async functions, which only ours has there."""

from __future__ import annotations

import asyncio
from typing import Any

from asynq import asynq, loader

#: The workload that answers, and counts the flushes.
workload: Any = None


@loader
async def double(keys):
    return await workload.load(keys)


@asynq()
def function(key):
    return (yield double.asynq(key))


async def loads(keys):
    load = double.asyncio
    return await asyncio.gather(*[load(key) for key in keys])


async def functions(keys):
    call = function.asyncio
    return await asyncio.gather(*[call(key) for key in keys])
