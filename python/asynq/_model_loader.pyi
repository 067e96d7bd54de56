from collections.abc import Mapping
from typing import Any, TypeVar

from .loaders import Loader

_K = TypeVar("_K")
_V = TypeVar("_V")

__traceback_hide__: bool

class ModelLoader(Loader[_K, _V]): ...

def refuse_settings(settings: Mapping[str, Any], why: str, *names: str) -> None: ...
