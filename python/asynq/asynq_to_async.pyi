from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar, overload

from typing_extensions import ParamSpec

__all__ = ["AsyncioMode", "convert_asynq_to_async", "is_asyncio_mode", "resolve_awaitables"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

class AsyncioMode:
    def __enter__(self) -> None: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None: ...

class NoAsyncioMode(AsyncioMode): ...

@overload
def convert_asynq_to_async(
    fn: Callable[_P, Generator[Any, Any, _T]],
) -> Callable[_P, Coroutine[Any, Any, _T]]: ...
@overload
def convert_asynq_to_async(fn: Callable[_P, _T]) -> Callable[_P, Coroutine[Any, Any, _T]]: ...
def is_asyncio_mode() -> bool: ...
async def resolve_awaitables(x: Any) -> Any: ...
