from typing import Any

from ._event_hook import EventHook
from .decorators import asynq

__traceback_hide__: bool

class AsyncEventHook(EventHook):
    @asynq()
    def trigger(self, *args: Any) -> None: ...
    @asynq()
    def safe_trigger(self, *args: Any) -> None: ...
