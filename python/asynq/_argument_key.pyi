from collections.abc import Callable
from typing import Any

def original_fn(fn: Any) -> Any: ...
def argument_key(
    fn: object, skip: int = 0
) -> Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]]: ...
