from collections.abc import Callable, Generator
from typing import Any, TypeVar

_T = TypeVar("_T")

__traceback_hide__: bool

def run_plain_function(
    fn: Callable[..., _T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Any, Any, _T]: ...
def decorated_by_name(module: str, qualname: str) -> Any: ...
