from collections.abc import Generator
from typing import Any

from .batching import BatchBase, BatchItemBase

class Delay(BatchItemBase[float]):
    seconds: float
    def __init__(self, seconds: float) -> None: ...

class DelayBatch(BatchBase[Delay]): ...

def delay(seconds: float) -> Generator[Any, Any]: ...
