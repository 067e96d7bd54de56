from typing import Any

from .._asynq import RoundBase, Rounds
from ._loader import Loader
from .request import Request

__traceback_hide__: bool

class LoaderBatch(RoundBase):
    loader: Loader[Any, Any]
    batches: Rounds
    def __init__(self, loader: Loader[Any, Any], batches: Rounds) -> None: ...
    def split(self) -> list[Request]: ...
    def request_finished(self, request: Request) -> None: ...

class PrioritizedBatch(LoaderBatch): ...
