"""Statistics of loaders."""

from typing import NamedTuple, Optional


class Stats(NamedTuple):
    """Totals of a loader.

    - `batches`: number of calls of the batch function;
    - `keys`: number of keys in all calls;
    - `hits`: number of keys that were asked for while they were cached or pending;
    - `largest`: largest number of keys in one call;
    - `time`: duration of all calls, in seconds.
    """

    batches: int = 0
    keys: int = 0
    hits: int = 0
    largest: int = 0
    time: float = 0.0


class Flushed(NamedTuple):
    """Argument of `after_flush`: a finished call of the batch function.

    - `keys`: the keys of the call;
    - `time`: its duration, in seconds;
    - `error`: the error that failed the whole call, or None.
    """

    keys: list
    time: float
    error: Optional[BaseException]
