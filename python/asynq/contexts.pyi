from types import TracebackType
from typing import Any

from typing_extensions import Self, disjoint_base

from .async_task import AsyncTask

__all__ = ["AsyncContext", "NonAsyncContext"]

@disjoint_base
class AsyncContext:
    in_flushes: bool
    @property
    def _active_task(self) -> AsyncTask[Any] | None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        ty: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...
    def resume(self) -> None: ...
    def pause(self) -> None: ...

@disjoint_base
class NonAsyncContext:
    in_flushes: bool
    @property
    def _active_task(self) -> AsyncTask[Any] | None: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self,
        typ: type[BaseException] | None,
        val: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...
    async def __aenter__(self) -> None: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
