"""Formatting of tracebacks: shorter, and with colours."""

import itertools

# Frames that asynq 1.x adds to tracebacks: replacement -> a text that each line contains.
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
    """Replaces each group of lines that asynq 1.x adds to a traceback by one line `___asynq_…___`.

    This package adds no such lines, but logs written with asynq 1.x contain them.
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
    """Adds terminal colours to the text of a traceback, if Pygments is installed."""
    try:
        from pygments import formatters, highlight, lexers
    except ImportError:
        return tb_text
    lexer = lexers.get_lexer_by_name("pytb", stripall=True)
    return highlight(tb_text, lexer, formatters.TerminalFormatter())


def without_repetitions(entries):
    """Yields the entries of a stack, but at most three equal ones in a row, as Python does."""
    for entry, group in itertools.groupby(entries):
        count = sum(1 for _ in group)
        yield from itertools.repeat(entry, min(count, 3))
        if count > 3:
            yield f"[Previous entry repeated {count - 3} more times]"
