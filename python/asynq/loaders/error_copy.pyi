from typing import TypeVar

_E = TypeVar("_E", bound=BaseException)

def copy_error(error: _E) -> _E: ...
