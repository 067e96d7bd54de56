from collections.abc import Mapping
from typing import Any

from .loaders.request_scope import request

REQUESTS: object

def active_scopes() -> Mapping[object, tuple[Any, ...]]: ...
def set_active_scopes(scopes: Mapping[object, tuple[Any, ...]]) -> None: ...
def current_request() -> request | None: ...
