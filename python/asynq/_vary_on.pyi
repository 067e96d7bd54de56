from collections.abc import Hashable, Iterable
from typing import Any

from typing_extensions import TypeAlias

from ._sources import Sources, _Named
from .contexts import AsyncContext

_Sources: TypeAlias = _Named | Iterable[_Named]

class VaryOn(Sources):
    def __init__(self, sources: _Sources) -> None: ...
    def key(self, key: Hashable) -> Hashable: ...
    def overrides(self, values: tuple[Any, ...]) -> list[AsyncContext]: ...
