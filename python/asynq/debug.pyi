import builtins
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, overload

from ._debug import options as options
from ._traceback import filter_traceback as filter_traceback
from ._traceback import syntax_highlight_tb as syntax_highlight_tb
from .batching import DebugBatchItem

__all__ = [
    "DUMP_ALL",
    "AsynqStackTracebackFormatter",
    "async_exception_hook",
    "attach_exception_hook",
    "detach_exception_hook",
    "disable_complex_assertions",
    "dump",
    "dump_asynq_stack",
    "dump_error",
    "dump_stack",
    "enable_complex_assertions",
    "enable_filter_traceback",
    "enable_original_exc_handler",
    "enable_traceback_syntax_highlight",
    "extract_tb",
    "filter_traceback",
    "format_asynq_stack",
    "format_error",
    "format_tb",
    "get_frame",
    "ipython_custom_exception_handler",
    "is_attached",
    "options",
    "original_hook",
    "repr",
    "str",
    "sync",
    "syntax_highlight_tb",
    "write",
]

@overload
def DUMP_ALL(value: None = None) -> bool: ...
@overload
def DUMP_ALL(value: bool) -> None: ...

class _Stream:
    def __init__(self, name: builtins.str) -> None: ...
    def __getattr__(self, attribute: builtins.str) -> Any: ...

stdout: _Stream
stderr: _Stream

original_hook: Callable[[type[BaseException], BaseException, TracebackType | None], object] | None
is_attached: bool

def enable_original_exc_handler(enable: bool) -> None: ...
def enable_filter_traceback(enable: bool) -> None: ...
def enable_traceback_syntax_highlight(enable: bool) -> None: ...

# Errors

def dump_error(error: BaseException | None, tb: TracebackType | None = None) -> None: ...
@overload
def format_error(error: None, tb: TracebackType | None = None) -> None: ...
@overload
def format_error(error: BaseException, tb: TracebackType | None = None) -> builtins.str: ...

class AsynqStackTracebackFormatter(logging.Formatter):
    def formatException(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> builtins.str: ...

def extract_tb(
    tb: TracebackType | None, limit: int | None = None
) -> list[tuple[builtins.str, int, builtins.str, builtins.str | None]]: ...
def format_tb(tb: TracebackType | None) -> list[builtins.str]: ...

# Stacks

def dump_stack(skip: int = 0, limit: int | None = None) -> None: ...
def dump_asynq_stack() -> None: ...
def format_asynq_stack() -> list[builtins.str] | None: ...
def get_frame(generator: Generator[Any, Any, Any] | None) -> FrameType | None: ...

# Texts

def dump(state: Any) -> None: ...
def write(text: builtins.str, indent: int = 0) -> None: ...
def str(source: object, truncate: bool = True) -> builtins.str: ...
def repr(source: object, truncate: bool = True) -> builtins.str: ...

# The exception hook

def async_exception_hook(
    type: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None: ...
def ipython_custom_exception_handler(
    self: Any,
    etype: type[BaseException],
    value: BaseException,
    tb: TracebackType | None,
    tb_offset: int | None = None,
) -> None: ...
def attach_exception_hook() -> None: ...
def detach_exception_hook() -> None: ...

# Assertions

@contextmanager
def enable_complex_assertions(enable: bool = True) -> Generator[None]: ...
@contextmanager
def disable_complex_assertions() -> Generator[None]: ...
def sync(tag: builtins.str = "default") -> DebugBatchItem[None]: ...
