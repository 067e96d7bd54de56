import asyncio
from typing import Any

__traceback_hide__: bool

def number(event_loop: asyncio.AbstractEventLoop, epoch: int) -> tuple[int | None, Any]: ...
def set_number(number: int, epoch: int) -> None: ...
