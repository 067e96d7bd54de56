from collections.abc import Mapping
from types import TracebackType
from typing import Literal

from .explanation import explain

__traceback_hide__: bool

class rounds(explain):
    def __init__(
        self,
        exactly: int | Mapping[str, int] | None = None,
        *,
        at_most: int | Mapping[str, int] | None = None,
        source: str | None = None,
        keys: Literal["count", "hash", "repr"] = "repr",
    ) -> None: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
