from typing import Any, NamedTuple

class Stats(NamedTuple):
    batches: int = 0
    keys: int = 0
    hits: int = 0
    largest: int = 0
    time: float = 0.0

class Flushed(NamedTuple):
    keys: list[Any]
    time: float
    error: BaseException | None
