from . import aio as aio
from . import async_task as async_task
from . import asynq_to_async as asynq_to_async
from . import batching as batching
from . import contexts as contexts
from . import debug as debug
from . import decorators as decorators
from . import futures as futures
from . import generator as generator
from . import loaders as loaders
from . import mock_ as mock
from . import mock_ as mock_
from . import profiler as profiler
from . import scheduler as scheduler
from . import scoped_value as scoped_value
from . import tools as tools
from . import utils as utils
from ._explain.explanation import explain as explain
from ._gather import gather as gather
from .async_task import AsyncTask as AsyncTask
from .async_task import AsyncTaskCancelledError as AsyncTaskCancelledError
from .async_task import AsyncTaskResult as AsyncTaskResult
from .asynq_to_async import is_asyncio_mode as is_asyncio_mode
from .batching import BatchBase as BatchBase
from .batching import BatchCancelledError as BatchCancelledError
from .batching import BatchingError as BatchingError
from .batching import BatchItemBase as BatchItemBase
from .contexts import AsyncContext as AsyncContext
from .contexts import NonAsyncContext as NonAsyncContext
from .decorators import async_call as async_call
from .decorators import async_proxy as async_proxy
from .decorators import asynq as asynq
from .decorators import get_async_fn as get_async_fn
from .decorators import get_async_or_sync_fn as get_async_or_sync_fn
from .decorators import has_async_fn as has_async_fn
from .decorators import is_async_fn as is_async_fn
from .decorators import is_pure_async_fn as is_pure_async_fn
from .decorators import make_async_decorator as make_async_decorator
from .futures import ConstFuture as ConstFuture
from .futures import ErrorFuture as ErrorFuture
from .futures import Future as Future
from .futures import FutureBase as FutureBase
from .futures import FutureIsAlreadyComputed as FutureIsAlreadyComputed
from .futures import none_future as none_future
from .generator import END_OF_GENERATOR as END_OF_GENERATOR
from .generator import Value as Value
from .generator import async_generator as async_generator
from .generator import list_of_generator as list_of_generator
from .generator import take_first as take_first
from .loaders import Loader as Loader
from .loaders import LoadError as LoadError
from .loaders import LoadTimeoutError as LoadTimeoutError
from .loaders import MissingKeyError as MissingKeyError
from .loaders import loader as loader
from .loaders.request_scope import request as request
from .scheduler import AsyncTaskError as AsyncTaskError
from .scheduler import TaskScheduler as TaskScheduler
from .scheduler import get_active_task as get_active_task
from .scheduler import get_scheduler as get_scheduler
from .scoped_value import AsyncScopedValue as AsyncScopedValue
from .scoped_value import async_override as async_override
from .utils import result as result

__all__ = [
    "END_OF_GENERATOR",
    "AsyncContext",
    "AsyncScopedValue",
    "AsyncTask",
    "AsyncTaskCancelledError",
    "AsyncTaskError",
    "AsyncTaskResult",
    "BatchBase",
    "BatchCancelledError",
    "BatchItemBase",
    "BatchingError",
    "ConstFuture",
    "ErrorFuture",
    "Future",
    "FutureBase",
    "FutureIsAlreadyComputed",
    "NonAsyncContext",
    "TaskScheduler",
    "Value",
    "async_call",
    "async_generator",
    "async_override",
    "async_proxy",
    "async_task",
    "asynq",
    "asynq_to_async",
    "batching",
    "contexts",
    "debug",
    "decorators",
    "futures",
    "generator",
    "get_active_task",
    "get_async_fn",
    "get_async_or_sync_fn",
    "get_scheduler",
    "has_async_fn",
    "is_async_fn",
    "is_asyncio_mode",
    "is_pure_async_fn",
    "list_of_generator",
    "make_async_decorator",
    "mock",
    "mock_",
    "none_future",
    "profiler",
    "result",
    "scheduler",
    "scoped_value",
    "take_first",
    "tools",
    "utils",
]

__version__: str
