from typing import Any

__traceback_hide__: bool

def find_decorated(module: str, qualname: str) -> Any: ...
