from typing import Any

from ._loader import Loader
from .request import Request
from .send_queue import EventLoopHost

__traceback_hide__: bool

class EventLoopRequest(Request):
    def __init__(self, loader: Loader[Any, Any], host: EventLoopHost, part: int) -> None: ...
