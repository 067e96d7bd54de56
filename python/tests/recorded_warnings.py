"""Warnings of a block, and their messages."""

import contextlib
import warnings


@contextlib.contextmanager
def recorded():
    """Records the warnings of a block."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield seen


def messages(seen):
    return [str(warning.message) for warning in seen]
