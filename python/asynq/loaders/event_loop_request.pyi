from typing import Any

from ._loader import Loader
from .event_loop_host import EventLoopHost
from .request import Request

__traceback_hide__: bool

class EventLoopRequest(Request):
    def __init__(self, loader: Loader[Any, Any], host: EventLoopHost, part: int) -> None: ...
