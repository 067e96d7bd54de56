"""A loader of pairs `(key, number of the batch)` that records its batches."""

from asynq.loaders import Loader


def recording(**settings):
    """Returns a loader of `(key, number of the batch)`, and the list of its batches."""
    batches = []

    def function(keys):
        batches.append(list(keys))
        return {key: (key, len(batches)) for key in keys}

    return Loader(function, **settings), batches
