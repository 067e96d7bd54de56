from contextvars import Token

from ._debug import DebugOptions as DebugOptions
from ._debug import options as options
from .async_task import AsyncTask as AsyncTask
from .async_task import extract_futures as extract_futures
from .async_task import unwrap as unwrap
from .asynq_to_async import is_asyncio_mode as is_asyncio_mode
from .batching import BatchBase as BatchBase
from .batching import BatchItemBase as BatchItemBase
from .contexts import AsyncContext as AsyncContext
from .contexts import NonAsyncContext as NonAsyncContext
from .decorators import AsyncDecorator as AsyncDecorator
from .decorators import AsyncDecoratorBinder as AsyncDecoratorBinder
from .decorators import DecoratorBase as DecoratorBase
from .decorators import DecoratorBinder as DecoratorBinder
from .decorators import PureAsyncDecorator as PureAsyncDecorator
from .decorators import PureAsyncDecoratorBinder as PureAsyncDecoratorBinder
from .futures import ConstFuture as ConstFuture
from .futures import ErrorFuture as ErrorFuture
from .futures import Future as Future
from .futures import FutureBase as FutureBase
from .scheduler import TaskScheduler as TaskScheduler
from .scheduler import get_active_task as get_active_task
from .scheduler import get_scheduler as get_scheduler

__all__ = [
    "AsyncContext",
    "AsyncDecorator",
    "AsyncDecoratorBinder",
    "AsyncTask",
    "BatchBase",
    "BatchItemBase",
    "ConstFuture",
    "DebugOptions",
    "DecoratorBase",
    "DecoratorBinder",
    "ErrorFuture",
    "Future",
    "FutureBase",
    "NonAsyncContext",
    "PureAsyncDecorator",
    "PureAsyncDecoratorBinder",
    "TaskScheduler",
    "enter_asyncio_mode",
    "extract_futures",
    "get_active_task",
    "get_scheduler",
    "is_asyncio_mode",
    "leave_asyncio_mode",
    "options",
    "reset_scheduler",
    "unwrap",
]

def enter_asyncio_mode(on: bool = True) -> Token[bool]: ...
def leave_asyncio_mode(token: Token[bool]) -> None: ...
def reset_scheduler() -> None: ...
