"""The function that finds its value in a dictionary, called from another module."""

from __future__ import annotations

from asynq import asynq

from .cached import cached


@asynq()
def all_cached(keys):
    return (yield [cached.asynq(key) for key in keys])
