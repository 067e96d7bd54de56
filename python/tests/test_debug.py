import sys
from io import StringIO

import pytest

from asynq import asynq, batching, debug
from asynq.batching import DebugBatchItem


def raised(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


# Tracebacks


def hidden(function):
    __traceback_hide__ = True
    return function()


def fails():
    raise KeyError("x")


def test_extract_tb_gives_file_line_function_and_code():
    ((_, _, name, _), (filename, line_number, *rest)) = debug.extract_tb(
        raised(fails).__traceback__
    )
    assert name == "raised"
    assert filename == __file__
    assert line_number == fails.__code__.co_firstlineno + 1
    assert rest == ["fails", 'raise KeyError("x")']


def test_extract_tb_leaves_out_frames_that_hide():
    tb = raised(lambda: hidden(fails)).__traceback__
    assert [entry[2] for entry in debug.extract_tb(tb)] == ["raised", "<lambda>", "fails"]


def test_extract_tb_leaves_out_modules_that_hide():
    module = {"__traceback_hide__": True}
    exec("def of_module(function): function()", module)
    tb = raised(lambda: module["of_module"](fails)).__traceback__
    assert [entry[2] for entry in debug.extract_tb(tb)] == ["raised", "<lambda>", "fails"]


def test_extract_tb_shows_what_asks_to_be_shown():
    module = {"__traceback_hide__": True}
    exec("def shown(function): __traceback_hide__ = False; function()", module)
    tb = raised(lambda: module["shown"](fails)).__traceback__
    assert [entry[2] for entry in debug.extract_tb(tb)] == ["raised", "<lambda>", "shown", "fails"]


def test_extract_tb_looks_at_so_many_frames():
    tb = raised(fails).__traceback__
    assert [entry[2] for entry in debug.extract_tb(tb, limit=1)] == ["raised"]


def test_extract_tb_obeys_the_limit_of_sys(monkeypatch):
    monkeypatch.setattr(sys, "tracebacklimit", 1, raising=False)
    assert len(debug.extract_tb(raised(fails).__traceback__)) == 1


def test_extract_tb_of_nothing_is_empty():
    assert debug.extract_tb(None) == []


def test_code_that_cannot_be_read_is_left_out():
    exec(compile("def unreadable(): raise KeyError", "<nowhere>", "exec"), module := {})
    entry = debug.extract_tb(raised(module["unreadable"]).__traceback__)[-1]
    assert entry == ("<nowhere>", 1, "unreadable", None)


def test_format_tb_gives_a_text_an_entry():
    texts = debug.format_tb(raised(fails).__traceback__)
    assert [text.splitlines()[1].strip() for text in texts] == [
        "function()",
        'raise KeyError("x")',
    ]


LONG_CALL_PURE = [
    "  in asynq.decorators.AsyncDecorator.asynq\n",
    "  in asynq.decorators.AsyncProxyDecorator._call_pure\n",
    "  in asynq.decorators.AsyncProxyDecorator._call_pure\n",
    "  in asynq.decorators.AsyncProxyDecorator._call_pure\n",
    "  in asynq.decorators.async_call\n",
]


def test_filter_traceback_shortens_what_asynq_1_adds():
    lines = ["before\n", *LONG_CALL_PURE, "after\n"]
    assert debug.filter_traceback(lines) == ["before\n", "  ___asynq_call_pure___\n", "after\n"]


def test_filter_traceback_shortens_each_group():
    lines = [
        *["  in asynq.async_task.AsyncTask._continue_on_generator\n"] * 3,
        *["  in asynq.async_task.AsyncTask._continue\n"] * 3,
    ]
    assert debug.filter_traceback(lines) == ["  ___asynq_continue___\n", *lines[3:]]


def test_filter_traceback_leaves_half_a_group_alone():
    half = LONG_CALL_PURE[:-1]
    assert debug.filter_traceback([*half, "after\n"]) == [*half, "after\n"]


def test_filter_traceback_leaves_half_a_group_at_the_end_alone():
    half = LONG_CALL_PURE[:-1]
    assert debug.filter_traceback(half) == half


def test_filtering_can_be_disabled():
    error = ValueError("\n" + "".join(LONG_CALL_PURE))
    assert "___asynq_call_pure___" in debug.format_error(error)
    debug.enable_filter_traceback(False)
    try:
        assert "___asynq_call_pure___" not in debug.format_error(error)
    finally:
        debug.enable_filter_traceback(True)


# Stacks


def test_dump_stack_prints_the_stack_down_to_the_caller(capsys):
    debug.dump_stack()
    first, *_, last_place, last_line, end = capsys.readouterr().out.splitlines()
    assert first.startswith("--- Stack trace: ---")
    assert last_place.endswith("in test_dump_stack_prints_the_stack_down_to_the_caller")
    assert last_line.strip() == "debug.dump_stack()"
    assert set(end) == {"-"}


def test_dump_stack_leaves_out_the_innermost_frames(capsys):
    def helper():
        debug.dump_stack(skip=1)

    helper()
    assert capsys.readouterr().out.splitlines()[-2].strip() == "helper()"


def test_dump_stack_prints_so_many_frames(capsys):
    debug.dump_stack(limit=2)
    assert capsys.readouterr().out.count('File "') == 2


def test_dump_stack_is_limited_by_an_option(capsys, monkeypatch):
    monkeypatch.setattr(debug.options, "STACK_DUMP_LIMIT", 3)
    debug.dump_stack()
    assert capsys.readouterr().out.count('File "') == 3


def test_dump_stack_prints_everything_if_there_is_no_limit(capsys, monkeypatch):
    monkeypatch.setattr(debug.options, "STACK_DUMP_LIMIT", None)
    debug.dump_stack()
    assert capsys.readouterr().out.count('File "') > 10


def test_the_asynq_stack_goes_from_the_first_caller_to_the_running_task():
    @asynq()
    def bottom():
        yield DebugBatchItem()
        return debug.format_asynq_stack()

    @asynq()
    def top():
        _, stack = yield [bottom.asynq(), bottom.asynq()]
        return stack

    assert [entry.splitlines()[0].rpartition(" in ")[2] for entry in top()] == ["top", "bottom"]


def test_the_asynq_stack_goes_through_synchronous_calls():
    @asynq()
    def bottom():
        yield None
        return debug.format_asynq_stack()

    @asynq()
    def top():
        yield None
        return bottom()

    assert len(top()) == 2


def test_there_is_no_asynq_stack_outside_of_tasks():
    assert debug.format_asynq_stack() is None


def test_dump_asynq_stack_prints_it(capsys):
    @asynq()
    def task():
        yield None
        debug.dump_asynq_stack()

    task()
    place, line = capsys.readouterr().out.splitlines()
    assert place.endswith("in task")
    assert line == "    debug.dump_asynq_stack()"


def test_dump_asynq_stack_prints_that_there_is_none(capsys):
    debug.dump_asynq_stack()
    assert capsys.readouterr().out == "dump_asynq_stack: no asynq task currently active\n"


def test_get_frame_of_a_generator():
    def generate():
        yield

    generator = generate()
    assert debug.get_frame(generator) is generator.gi_frame


def test_get_frame_of_what_has_ended_or_is_no_generator():
    generator = (x for x in ())
    generator.close()
    assert debug.get_frame(generator) is None
    assert debug.get_frame(42) is None


# Texts


@pytest.mark.parametrize(
    ("text", "indent", "expected"),
    [
        ("a", 0, "a\n"),
        ("a", 1, "  a\n"),
        ("a\nb", 2, "    a\n    b\n"),
        ("\na", 1, "\n  a\n"),
        ("", 1, "  \n"),
    ],
)
def test_write_indents_each_line(capsys, text, indent, expected):
    debug.write(text, indent)
    assert capsys.readouterr().out == expected


def test_write_goes_to_what_stdout_is_at_the_moment(monkeypatch):
    stream = StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    debug.write("a")
    assert stream.getvalue() == "a\n"


def test_write_goes_to_a_stream_put_in_its_place(monkeypatch):
    stream = StringIO()
    monkeypatch.setattr(debug, "stdout", stream)
    debug.write("a")
    assert stream.getvalue() == "a\n"


def test_texts_are_cut(monkeypatch):
    monkeypatch.setattr(debug.options, "DEBUG_STR_REPR_MAX_LENGTH", 10)
    assert debug.str("x" * 20) == "xxxxxxx..."
    assert debug.repr("x" * 20) == "'xxxxxx..."


def test_texts_that_fit_are_not_cut(monkeypatch):
    monkeypatch.setattr(debug.options, "DEBUG_STR_REPR_MAX_LENGTH", 10)
    assert debug.str("x" * 10) == "x" * 10


def test_texts_are_not_cut_if_that_is_not_wanted(monkeypatch):
    monkeypatch.setattr(debug.options, "DEBUG_STR_REPR_MAX_LENGTH", 10)
    assert debug.str("x" * 20, truncate=False) == "x" * 20


def test_the_length_zero_means_that_nothing_is_cut(monkeypatch):
    monkeypatch.setattr(debug.options, "DEBUG_STR_REPR_MAX_LENGTH", 0)
    assert debug.repr("x" * 1000) == repr("x" * 1000)


def test_what_cannot_be_shown_is_replaced():
    class Shy:
        def __str__(self):
            raise KeyError("no")

        __repr__ = __str__

    assert debug.str(Shy()) == "<n/a: str(...) raised 'no'>"
    assert debug.repr(Shy()) == "<n/a: repr(...) raised 'no'>"


class State:
    def dump(self):
        debug.write("the state")


def test_dump_writes_a_state_between_lines(capsys):
    debug.dump(State())
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("--- Pre-error state dump: ---")
    assert lines[2] == "the state"
    assert set(lines[3]) == {"-"}


def test_dump_writes_nothing_if_the_option_is_off(capsys, monkeypatch):
    monkeypatch.setattr(debug.options, "DUMP_PRE_ERROR_STATE", False)
    debug.dump(State())
    assert capsys.readouterr().out == ""


# Options


def test_all_dump_options_can_be_set_together():
    debug.DUMP_ALL(True)
    assert debug.DUMP_ALL() is True
    assert debug.options.DUMP_STACK is True
    debug.DUMP_ALL(False)
    assert debug.DUMP_ALL() is False
    assert debug.options.DUMP_STACK is False


def test_dump_all_touches_no_other_option():
    debug.DUMP_ALL(True)
    assert debug.options.COLLECT_PERF_STATS is False
    assert debug.options.KEEP_DEPENDENCIES is False


@pytest.mark.parametrize(
    "name", ["SCHEDULER_STATE_DUMP_INTERVAL", "DEBUG_STR_REPR_MAX_LENGTH", "MAX_TASK_STACK_SIZE"]
)
def test_an_option_that_is_a_number_takes_no_other_type(name):
    before = getattr(debug.options, name)
    with pytest.raises(TypeError):
        setattr(debug.options, name, "many")
    assert getattr(debug.options, name) == before


def test_complex_assertions_are_off_inside_a_context():
    with debug.disable_complex_assertions():
        assert debug.options.ENABLE_COMPLEX_ASSERTIONS is False
    assert debug.options.ENABLE_COMPLEX_ASSERTIONS is True


def test_complex_assertions_are_restored_after_an_error():
    with pytest.raises(KeyError), debug.disable_complex_assertions():
        raise KeyError
    assert debug.options.ENABLE_COMPLEX_ASSERTIONS is True


def test_contexts_of_complex_assertions_nest():
    with debug.disable_complex_assertions(), debug.enable_complex_assertions():
        assert debug.options.ENABLE_COMPLEX_ASSERTIONS is True


def test_sync_is_that_of_batching():
    assert debug.sync is batching.sync
