from typing import Any

from ._loader import Loader
from .request_scope import request as Request
from .weak_objects import WeakObjects

class Variants(WeakObjects[Loader[Any, Any]]):
    def get(self, values: tuple[Any, ...]) -> Loader[Any, Any] | None: ...
    def keep(self, core: Loader[Any, Any], variant: Loader[Any, Any]) -> Loader[Any, Any]: ...

def find_variant(core: Loader[Any, Any]) -> Loader[Any, Any]: ...
def new_variant(
    core: Loader[Any, Any], values: tuple[Any, ...], request: Request | None = None
) -> Loader[Any, Any]: ...
