"""Debugging tools: options, stacks of tasks, and readable tracebacks.

`import asynq` installs `async_exception_hook`, which prints an unhandled error with its traceback
and with the asynq stack of the task that failed.
"""

import builtins
import contextlib
import linecache
import logging
import os
import sys
import traceback

from . import _debug
from ._asynq import AsyncTask
from ._traceback import filter_traceback, syntax_highlight_tb, without_repetitions

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

#: Debug options of the process. Each option `DUMP_*` makes the scheduler write one kind of step to
#: `stdout`.
options = _debug.options


def DUMP_ALL(value=None):
    """Sets all `DUMP_*` options to `value`. Without a value, returns whether all of them are on."""
    return options.DUMP_ALL(value)


class _Stream:
    """The current `sys.stdout` or `sys.stderr`, looked up at each use."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return getattr(getattr(sys, self._name), attribute)


stdout = _Stream("stdout")
stderr = _Stream("stderr")

#: `sys.excepthook` before `attach_exception_hook` replaced it.
original_hook = None
#: True while `async_exception_hook` is installed.
is_attached = False

# Errors for which `async_exception_hook` is calling the hook that it has replaced.
_reported = []
# True after `detach_exception_hook` if another hook may still call `async_exception_hook`.
_only_passes_on = False

_use_original_exc_handler = False
_should_filter_traceback = True
_use_syntax_highlighting = True


def enable_original_exc_handler(enable):
    """Sets whether the exception hook also calls the hook it replaced. Off by default."""
    global _use_original_exc_handler
    _use_original_exc_handler = enable


def enable_filter_traceback(enable):
    """Sets whether `format_error` shortens the lines that asynq 1.x adds. On by default."""
    global _should_filter_traceback
    _should_filter_traceback = enable


def enable_traceback_syntax_highlight(enable):
    """Sets whether tracebacks on a terminal have colours, if Pygments is installed. On by default.

    The environment variable `NO_COLOR`, with any value that is not empty, switches colours off.
    """
    global _use_syntax_highlighting
    _use_syntax_highlighting = enable


# Errors


def dump_error(error, tb=None):
    """Writes an error to `stderr`, with its traceback and the asynq stack of the failed task.

    `tb` replaces the traceback of the error, if given.
    """
    try:
        text = format_error(error, tb=tb)
        if text is None:
            stderr.write("\nNo error")
            return
        stderr.write("\n" + (syntax_highlight_tb(text) if _wants_colour(stderr) else text))
        task = getattr(error, "_task", None)
        if isinstance(task, AsyncTask):
            stderr.write("\nAsynq stack (most recent task last):\n")
            for entry in without_repetitions(task.traceback()):
                stderr.write("  " + entry.replace("\n", "\n  ") + "\n")
    finally:
        stdout.flush()
        stderr.flush()


def format_error(error, tb=None):
    """Returns an error and its traceback as text, or None if `error` is None.

    `tb` replaces the traceback of the error, if given.

    >>> format_error(KeyError("x"))
    "KeyError: 'x'\\n"
    """
    if error is None:
        return None
    if not isinstance(error, BaseException):
        return ""
    if tb is None:
        tb = error.__traceback__ or getattr(error, "_traceback", None)
    lines = traceback.format_exception(type(error), error, tb)
    text = "".join(lines)
    if _should_filter_traceback:
        text = "".join(filter_traceback(text.splitlines(True)))
    return text


class AsynqStackTracebackFormatter(logging.Formatter):
    """A formatter for `logging` that formats errors with `format_error`.

    >>> handler = logging.StreamHandler()
    >>> handler.setFormatter(AsynqStackTracebackFormatter())
    """

    def formatException(self, exc_info):
        _, error, tb = exc_info
        return (format_error(error, tb=tb) or "").rstrip("\n")


def extract_tb(tb, limit=None):
    """Returns the entries of a traceback: tuples (file name, line number, function, source line).

    Skips the frames of asynq, and all other frames with a local or global variable
    `__traceback_hide__ = True`. `limit` is the maximum number of frames that are read, skipped ones
    included; the default is `sys.tracebacklimit`, or no limit.
    """
    if limit is None:
        limit = getattr(sys, "tracebacklimit", None)
    entries = []
    for index, (frame, line_number) in enumerate(traceback.walk_tb(tb)):
        if limit is not None and index >= limit:
            break
        if _should_skip_frame(frame):
            continue
        code = frame.f_code
        linecache.checkcache(code.co_filename)
        line = linecache.getline(code.co_filename, line_number, frame.f_globals).strip()
        entries.append((code.co_filename, line_number, code.co_name, line or None))
    return entries


def _should_skip_frame(frame):
    hide = frame.f_globals.get("__traceback_hide__")
    return frame.f_locals.get("__traceback_hide__", hide) is True


def format_tb(tb):
    """Returns the entries of `extract_tb` as a list of texts."""
    return traceback.format_list(extract_tb(tb))


def _wants_colour(stream):
    return _use_syntax_highlighting and not os.environ.get("NO_COLOR") and stream.isatty()


# Stacks


def dump_stack(skip=0, limit=None):
    """Prints the Python stack of the caller, without its innermost `skip` frames.

    `limit` is the maximum number of frames; the default is `options.STACK_DUMP_LIMIT`, where 0 or
    None means no limit.
    """
    if not isinstance(skip, int):
        raise TypeError(f"skip must be an int, got {skip!r}")
    if skip < 0:
        raise ValueError(f"skip must be 0 or more, got {skip}")
    skip += 1
    limit = options.STACK_DUMP_LIMIT if limit is None else limit
    print("--- Stack trace: -----------------------------------------------------")
    try:
        stack = traceback.extract_stack(limit=limit + skip if limit else None)
        print("".join(traceback.format_list(stack[:-skip])), end="")
    finally:
        print("-" * 70, flush=True)


def dump_asynq_stack():
    """Prints the asynq stack: the tasks from the outermost creator down to the running task."""
    stack = format_asynq_stack()
    if stack is None:
        print("dump_asynq_stack: no asynq task currently active")
    else:
        print("\n".join(stack))


def format_asynq_stack():
    """Returns the asynq stack as a list with one text per task, the running task last.

    Returns None if no task is running.
    """
    from .scheduler import get_active_task

    task = get_active_task()
    return None if task is None else task.traceback()


def get_frame(generator):
    """Returns the frame of a suspended generator or coroutine.

    Returns None for a finished one and for other objects.
    """
    return getattr(generator, "gi_frame", None) or getattr(generator, "cr_frame", None)


# Texts


def dump(state):
    """Writes `state.dump()` between two lines, if `options.DUMP_PRE_ERROR_STATE` is on."""
    if not options.DUMP_PRE_ERROR_STATE:
        return
    stdout.write("\n--- Pre-error state dump: --------------------------------------------\n")
    try:
        state.dump()
    finally:
        stdout.write("-" * 70 + "\n")
        stderr.write("\n")
        stdout.flush()
        stderr.flush()


def write(text, indent=0):
    """Writes lines to `stdout`, each indented by two spaces per level of `indent`."""
    if not isinstance(text, builtins.str):
        raise TypeError(f"write() needs a str, got {text!r}")
    if indent > 0:
        margin = "  " * indent
        text = text.replace("\n", "\n" + margin)
        if not text.startswith("\n"):
            text = margin + text
    stdout.write(text + "\n")


def str(source, truncate=True):
    """Returns `str(source)`, or a placeholder if that raises.

    With `truncate`, cuts the text to `options.DEBUG_STR_REPR_MAX_LENGTH` characters.
    """
    return _safely(builtins.str, source, truncate)


def repr(source, truncate=True):
    """Returns `repr(source)`, or a placeholder if that raises.

    With `truncate`, cuts the text to `options.DEBUG_STR_REPR_MAX_LENGTH` characters.
    """
    return _safely(builtins.repr, source, truncate)


def _safely(function, source, truncate):
    try:
        text = function(source)
    except Exception as error:
        text = f"<n/a: {function.__name__}(...) raised {error}>"
    length = options.DEBUG_STR_REPR_MAX_LENGTH
    if truncate and length and len(text) > length:
        return text[: max(0, length - 3)] + "..."
    return text


# The exception hook


def async_exception_hook(type, error, tb):
    """A `sys.excepthook` that writes errors with `dump_error`.

    Before that it calls the hook that it has replaced, such as that of an error reporter. Python's
    own hook writes the same error, so it is called only after `enable_original_exc_handler(True)`.
    """
    if any(reported is error for reported in _reported):
        return  # The hook that was replaced calls this one.
    stdout.flush()
    stderr.flush()
    hook = original_hook
    if hook is sys.__excepthook__ and not _only_passes_on and not _use_original_exc_handler:
        hook = None
    _reported.append(error)
    try:
        if hook is not None:
            hook(type, error, tb)
    finally:
        _reported.pop()
        if not _only_passes_on:
            dump_error(error, tb=tb)


def ipython_custom_exception_handler(self, etype, value, tb, tb_offset=None):
    """The exception hook for IPython; `self` is the shell."""
    async_exception_hook(etype, value, tb)
    if _use_original_exc_handler:
        self.showtraceback()


def attach_exception_hook():
    """Installs `async_exception_hook`, or `ipython_custom_exception_handler` in IPython."""
    global is_attached, original_hook, _only_passes_on
    shell = _ipython_shell()
    if shell is not None:
        shell.set_custom_exc((BaseException,), ipython_custom_exception_handler)
    elif is_attached:
        sys.stderr.write("Warning: async exception hook was already attached.\n")
    else:
        if sys.excepthook is not async_exception_hook:
            original_hook = sys.excepthook
            sys.excepthook = async_exception_hook
        is_attached = True
        _only_passes_on = False


def _ipython_shell():
    if not hasattr(builtins, "__IPYTHON__"):
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()


def detach_exception_hook():
    """Restores the exception hook that `attach_exception_hook` has replaced.

    A hook that was installed later stays, and may go on calling `async_exception_hook`, which then
    only calls the hook that it has replaced. Raises `AssertionError` if it is not installed.
    """
    global is_attached, _only_passes_on
    assert is_attached, "Async exception hook wasn't attached."
    if sys.excepthook is async_exception_hook:
        sys.excepthook = original_hook
    else:
        _only_passes_on = True
    is_attached = False


# Assertions


@contextlib.contextmanager
def enable_complex_assertions(enable=True):
    """Sets `options.ENABLE_COMPLEX_ASSERTIONS` to `enable` for a `with` block."""
    before = options.ENABLE_COMPLEX_ASSERTIONS
    options.ENABLE_COMPLEX_ASSERTIONS = enable
    try:
        yield
    finally:
        options.ENABLE_COMPLEX_ASSERTIONS = before


def disable_complex_assertions():
    """Switches `options.ENABLE_COMPLEX_ASSERTIONS` off for a `with` block."""
    return enable_complex_assertions(False)


def sync(tag="default"):
    """Returns a future at which tasks wait for each other; see `asynq.batching.sync`."""
    from .batching import sync

    return sync(tag)
