from collections.abc import Callable
from typing import Any, TypeVar

from typing_extensions import ParamSpec

from .._vary_on import _Sources
from ..decorators import AsyncDecorator
from .key_value import KeyValueStore, _Codec

_P = ParamSpec("_P")
_T = TypeVar("_T")

__traceback_hide__: bool

MAX_KEY: int

class JSON:
    @staticmethod
    def dumps(value: Any) -> bytes: ...
    @staticmethod
    def loads(value: str | bytes) -> Any: ...

def cached(
    store: KeyValueStore, prefix: str, ttl: float | None, codec: _Codec, vary_on: _Sources = ()
) -> Callable[[AsyncDecorator[_T, _P]], AsyncDecorator[_T, _P]]: ...
