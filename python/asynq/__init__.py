"""Asynchronous programming with implicit batching.

A function decorated with `@asynq()` handles one key, and calls other such functions with
`yield f.asynq(x)`. The scheduler runs all of them until each one waits for something. Only then it
sends the keys that they asked for, in one request per source instead of one per key.

>>> from asynq import asynq
>>> @asynq()
... def double(x):
...     return 2 * x
>>> @asynq()
... def double_all(xs):
...     return (yield [double.asynq(x) for x in xs])
>>> double_all([1, 2, 3])
[2, 4, 6]
"""

from . import _installation as _installation  # isort: split

from . import (
    _asynq,
    _greenlets,
    async_task,
    asynq_to_async,
    batching,
    contexts,
    debug,
    decorators,
    futures,
    generator,
    mock_,
    profiler,
    scheduler,
    scoped_value,
    tools,
    utils,
)
from . import aio as aio
from . import loaders as loaders
from . import mock_ as mock
from ._explain import environment as _environment
from ._explain.explanation import explain as explain
from ._gather import gather as gather
from .async_task import AsyncTask, AsyncTaskCancelledError, AsyncTaskResult
from .asynq_to_async import is_asyncio_mode
from .batching import BatchBase, BatchCancelledError, BatchingError, BatchItemBase
from .contexts import AsyncContext, NonAsyncContext
from .decorators import (
    async_call,
    async_proxy,
    asynq,
    get_async_fn,
    get_async_or_sync_fn,
    has_async_fn,
    is_async_fn,
    is_pure_async_fn,
    make_async_decorator,
)
from .futures import (
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    FutureIsAlreadyComputed,
    none_future,
)
from .generator import END_OF_GENERATOR, Value, async_generator, list_of_generator, take_first
from .loaders import Loader as Loader
from .loaders import LoadError as LoadError
from .loaders import LoadTimeoutError as LoadTimeoutError
from .loaders import MissingKeyError as MissingKeyError
from .loaders import loader as loader
from .loaders.request_scope import request as request
from .scheduler import AsyncTaskError, TaskScheduler, get_active_task, get_scheduler
from .scoped_value import AsyncScopedValue, async_override
from .utils import result

# The names of asynq 1.6 only: a star import must bring nothing that its users do not expect.
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

debug.sync = batching.sync
debug.attach_exception_hook()
_greenlets.watch()
_asynq.look_up_names()
_environment.start()


def __getattr__(name):
    # Looked up on first use: importing importlib.metadata takes longer than all of asynq.
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("asynq-rs")
        except PackageNotFoundError:
            return "0+unknown"
    raise AttributeError(f"module 'asynq' has no attribute {name!r}")
