"""The texts of tracebacks: shorter, and with colours."""

import itertools

# What asynq adds to tracebacks: each of these lines contains one of these texts.
_BOILERPLATE = {
    "___asynq_continue___": [
        "asynq.async_task.AsyncTask._continue",
        "asynq.async_task.AsyncTask._continue_on_generator",
        "asynq.async_task.AsyncTask._continue_on_generator",
    ],
    "___asynq_future_raise_if_error___": [
        "asynq.decorators.AsyncDecorator.__call__",
        "asynq.futures.FutureBase.value",
        "asynq.futures.FutureBase.value",
        "asynq.futures.FutureBase.raise_if_error",
        "reraise",
        "six.reraise",
        "reraise",
        "value",
    ],
    "___asynq_call_pure___": [
        "asynq.decorators.AsyncDecorator.asynq",
        "asynq.decorators.AsyncProxyDecorator._call_pure",
        "asynq.decorators.AsyncProxyDecorator._call_pure",
        "asynq.decorators.AsyncProxyDecorator._call_pure",
        "asynq.decorators.async_call",
    ],
}


def filter_traceback(tb_list):
    """Shortens the lines of a traceback that asynq 1.x adds to `___asynq_…___`, one a group.

    Tracebacks of this package have none of them, but a log that is read with it may.
    """
    lines = []
    start = 0
    while start < len(tb_list):
        for replacement, texts in _BOILERPLATE.items():
            group = tb_list[start : start + len(texts)]
            if len(group) == len(texts) and all(map(str.__contains__, group, texts)):
                lines.append(f"  {replacement}\n")
                start += len(texts)
                break
        else:
            lines.append(tb_list[start])
            start += 1
    return lines


def syntax_highlight_tb(tb_text):
    """The text of a traceback with colours for a terminal; as it is if Pygments is not there."""
    try:
        from pygments import formatters, highlight, lexers
    except ImportError:
        return tb_text
    lexer = lexers.get_lexer_by_name("pytb", stripall=True)
    return highlight(tb_text, lexer, formatters.TerminalFormatter())


def without_repetitions(entries):
    """Yields the entries of a stack, like ones in a row only three times, as Python does."""
    for entry, group in itertools.groupby(entries):
        count = sum(1 for _ in group)
        yield from itertools.repeat(entry, min(count, 3))
        if count > 3:
            yield f"[Previous entry repeated {count - 3} more times]"
