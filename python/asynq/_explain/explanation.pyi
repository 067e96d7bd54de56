import os
from types import TracebackType
from typing import Literal, NamedTuple, TextIO

from typing_extensions import Self

from .._asynq import Recording

__traceback_hide__: bool

class Finding(NamedTuple):
    kind: str
    file: str
    line: int
    function: str
    text: str
    source: str
    source_rounds: int
    source_rounds_after: int
    rounds: int
    rounds_after: int

class SentRequest(NamedTuple):
    round: int
    source: str
    keys: int
    texts: list[str | None]
    seconds: float | None
    reason: str
    error: str | None

class Explanation:
    def __init__(self, recording: Recording | None) -> None: ...
    @property
    def rounds(self) -> int: ...
    @property
    def source_rounds(self) -> dict[str, int]: ...
    @property
    def requests(self) -> list[SentRequest]: ...
    @property
    def findings(self) -> list[Finding]: ...
    def text(self, width: int = 100, *, colour: bool = False, unicode: bool = True) -> str: ...
    def print(self, file: TextIO | None = None) -> None: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...

class explain(Explanation):
    def __init__(
        self,
        *,
        keys: Literal["count", "hash", "repr"] | None = None,
        capacity: int = 1_000_000,
        sampling: float = 1.0,
        all_threads: bool = True,
    ) -> None: ...
    @staticmethod
    def load(path: str | os.PathLike[str]) -> Explanation: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def with_flows(recording: Recording) -> Recording: ...
def program() -> str: ...
