from collections.abc import Callable, MutableMapping
from typing import Any

from ..contexts import AsyncContext
from ._loader import Loader
from .group import Group

class Scopes:
    find_loader: Callable[[], Loader[Any, Any]] | None
    owner: object
    def __init__(self, group: Group | None = None) -> None: ...
    def get(self, cache: MutableMapping[Any, Any] | None) -> MutableMapping[Any, Any] | None: ...

class _Scope(AsyncContext):
    is_of_group: bool
    caches: dict[int, dict[Any, Any]]
    def __init__(self, owner: object) -> None: ...

class LoaderScope(_Scope):
    def __init__(self, loader: Loader[Any, Any]) -> None: ...

class GroupScope(_Scope):
    def __init__(self, group: Group) -> None: ...
    def add(self, scopes: Scopes) -> dict[Any, Any]: ...
