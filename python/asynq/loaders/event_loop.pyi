import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

from typing_extensions import Self

from .._asynq import Load, Rounds
from .round import Round

__traceback_hide__: bool

_T = TypeVar("_T")

class LoopRounds:
    def __init__(self) -> None: ...
    def here(self, new: Callable[[], Rounds]) -> Rounds: ...

class Turns:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    @classmethod
    def here(cls) -> Self: ...
    def add(self, round: Round) -> None: ...
    def another_key(self) -> None: ...

def what_can_run(loop: asyncio.AbstractEventLoop) -> Collection[object] | None: ...

class LoopRound(Round):
    def start(self) -> None: ...

async def computed(load: Load[_T]) -> _T: ...
