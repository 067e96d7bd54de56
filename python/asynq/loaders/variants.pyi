from typing import Any

from ._loader import Loader
from .weak_objects import WeakObjects

class Variants(WeakObjects[Loader[Any, Any]]):
    def get(self, values: tuple[Any, ...]) -> Loader[Any, Any] | None: ...
    def keep(self, core: Loader[Any, Any], variant: Loader[Any, Any]) -> Loader[Any, Any]: ...
