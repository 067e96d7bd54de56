"""A loader of negated keys that records its batches, and tasks that ask it for keys."""

import asynq
from asynq.loaders import Loader


def recording(answer=None, **settings):
    """Returns a loader that answers `-key` by default, and the list of its batches."""
    batches = []

    def negated(keys):
        batches.append(list(keys))
        return {key: -key for key in keys} if answer is None else answer(keys)

    return Loader(negated, **settings), batches


@asynq.asynq()
def each(loader, keys):
    return (yield [loader.asynq(key) for key in keys])
