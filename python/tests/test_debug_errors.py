import builtins
import io
import logging
import subprocess
import sys
import textwrap
import types

import pytest

from asynq import asynq, debug


class Terminal(io.StringIO):
    def isatty(self):
        return True


@asynq()
def inner():
    yield None
    raise ValueError("deep")


@asynq()
def middle():
    yield inner.asynq()


@asynq()
def outer():
    yield middle.asynq()


def raised(function=outer):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    monkeypatch.setattr(debug, "stderr", stream)
    return stream


# Errors as text


def test_no_error_has_no_text():
    assert debug.format_error(None) is None


def test_an_error_that_was_not_raised_is_shown_in_one_line():
    assert debug.format_error(KeyError("x")) == "KeyError: 'x'\n"


def test_an_error_is_shown_with_its_traceback():
    text = debug.format_error(raised())
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.index("in outer") < text.index("in middle") < text.index("in inner")
    assert text.endswith("ValueError: deep\n")


def test_a_given_traceback_is_shown_instead_of_the_own():
    text = debug.format_error(KeyError("x"), tb=raised().__traceback__)
    assert "in inner" in text


def test_a_traceback_kept_as_an_attribute_is_shown():
    error = KeyError("x")
    error._traceback = raised().__traceback__
    assert "in inner" in debug.format_error(error)


def test_chained_errors_are_shown():
    def chained():
        try:
            raise ValueError("first")
        except ValueError:
            raise KeyError("second") from None

    def context():
        try:
            raise ValueError("first")
        except ValueError:
            raise KeyError("second")  # noqa: B904

    assert "first" not in debug.format_error(raised(chained))
    assert "During handling of the above exception" in debug.format_error(raised(context))


def test_what_is_no_exception_has_an_empty_text():
    assert debug.format_error("a text") == ""


def test_the_text_of_an_error_has_no_colours(terminal):
    assert "\x1b" not in debug.format_error(raised())


def test_a_logging_formatter_writes_errors_as_text():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(debug.AsynqStackTracebackFormatter("%(message)s"))
    error = raised()
    handler.handle(
        logging.LogRecord(
            "name",
            logging.ERROR,
            __file__,
            1,
            "it failed",
            None,
            (type(error), error, error.__traceback__),
        )
    )
    assert stream.getvalue() == "it failed\n" + debug.format_error(
        error
    )  # One line feed at the end.


def test_dump_error_writes_to_stderr(capsys):
    debug.dump_error(KeyError("x"))
    written = capsys.readouterr()
    assert written.err == "\nKeyError: 'x'\n"
    assert written.out == ""


def test_dump_error_says_that_there_is_no_error(capsys):
    debug.dump_error(None)
    assert capsys.readouterr().err == "\nNo error"


def test_dump_error_writes_the_asynq_stack(capsys):
    debug.dump_error(raised())
    _, _, stack = capsys.readouterr().err.partition("\nAsynq stack (most recent task last):\n")
    lines = stack.splitlines()
    assert [line.rpartition(" in ")[2] for line in lines[::2]] == ["outer", "middle", "inner"]
    assert lines[1] == "      yield middle.asynq()"


def test_dump_error_shortens_a_deep_recursion(capsys):
    @asynq()
    def recursive(depth):
        yield None
        if depth == 0:
            raise ValueError
        yield recursive.asynq(depth - 1)

    debug.dump_error(raised(lambda: recursive(100)))
    _, _, stack = capsys.readouterr().err.partition("\nAsynq stack (most recent task last):\n")
    assert stack.count(" in recursive\n") == 4
    assert "  [Previous entry repeated 97 more times]\n" in stack


# Colours


def test_a_traceback_on_a_terminal_has_colours(terminal):
    pytest.importorskip("pygments")
    debug.dump_error(raised())
    assert "\x1b[" in terminal.getvalue()


def test_a_traceback_elsewhere_has_no_colours(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(debug, "stderr", stream)
    debug.dump_error(raised())
    assert "ValueError: deep" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_no_color_switches_colours_off(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    debug.dump_error(raised())
    assert "\x1b" not in terminal.getvalue()


def test_an_empty_no_color_does_not_count(terminal, monkeypatch):
    pytest.importorskip("pygments")
    monkeypatch.setenv("NO_COLOR", "")
    debug.dump_error(raised())
    assert "\x1b[" in terminal.getvalue()


def test_colours_can_be_disabled(terminal):
    debug.enable_traceback_syntax_highlight(False)
    try:
        debug.dump_error(raised())
    finally:
        debug.enable_traceback_syntax_highlight(True)
    assert "\x1b" not in terminal.getvalue()


def test_without_pygments_there_are_no_colours(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygments", None)
    debug.dump_error(raised())
    assert "ValueError: deep" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


# The exception hook


def run_program(text):
    """Runs a program in a new interpreter. Returns its standard error."""
    program = textwrap.dedent(text)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    return done.stderr


THREE_DEEP = """
    from asynq import asynq, debug

    @asynq()
    def inner():
        yield None
        raise ValueError("deep")

    @asynq()
    def middle():
        yield inner.asynq()

    @asynq()
    def outer():
        yield middle.asynq()

"""


def test_an_error_nobody_handles_is_printed_with_traceback_and_asynq_stack():
    traceback, _, stack = run_program(THREE_DEEP + "    outer()").partition("Asynq stack")
    assert traceback.index("in outer") < traceback.index("in middle") < traceback.index("in inner")
    assert traceback.endswith("ValueError: deep\n\n")
    assert stack.index("in outer") < stack.index("in middle") < stack.index("in inner")


def test_an_error_outside_of_tasks_is_printed_without_asynq_stack():
    text = run_program("import asynq; raise KeyError('x')")
    assert text.endswith("KeyError: 'x'\n")
    assert "Asynq stack" not in text


def test_a_detached_hook_prints_no_asynq_stack():
    text = run_program(THREE_DEEP + "    debug.detach_exception_hook(); outer()")
    assert text.endswith("ValueError: deep\n")


def test_importing_asynq_attaches_the_hook():
    assert debug.is_attached


def test_attaching_twice_warns_and_changes_nothing(capsys):
    before = debug.original_hook
    debug.attach_exception_hook()
    assert "already attached" in capsys.readouterr().err
    assert debug.original_hook is before


def test_detaching_restores_the_hook_that_was_there_before(monkeypatch):
    def other_hook(*args):
        pass

    monkeypatch.setattr(debug, "is_attached", False)
    monkeypatch.setattr(debug, "original_hook", None)
    monkeypatch.setattr(sys, "excepthook", other_hook)
    debug.attach_exception_hook()
    assert sys.excepthook is debug.async_exception_hook
    debug.detach_exception_hook()
    assert sys.excepthook is other_hook


def test_detaching_what_is_not_attached_fails(monkeypatch):
    monkeypatch.setattr(debug, "is_attached", False)
    with pytest.raises(AssertionError, match="wasn't attached"):
        debug.detach_exception_hook()


@pytest.fixture
def original_hook(monkeypatch):
    calls = []
    monkeypatch.setattr(debug, "original_hook", lambda *args: calls.append(args))
    yield calls
    debug.enable_original_exc_handler(False)


def call_hook(error):
    debug.async_exception_hook(type(error), error, error.__traceback__)


def test_the_hook_of_before_is_called_too(original_hook, capsys):
    error = raised()
    call_hook(error)
    ((_, passed, _),) = original_hook
    assert passed is error
    assert "ValueError: deep" in capsys.readouterr().err


def test_the_hook_of_python_is_not_called_since_it_writes_the_same(
    original_hook, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "__excepthook__", debug.original_hook)
    call_hook(raised())
    assert original_hook == []
    assert "ValueError: deep" in capsys.readouterr().err


def test_the_hook_of_python_is_called_if_that_is_wanted(monkeypatch, original_hook, capsys):
    calls = original_hook
    monkeypatch.setattr(sys, "__excepthook__", debug.original_hook)
    debug.enable_original_exc_handler(True)
    error = raised()
    call_hook(error)
    ((_, passed, _),) = calls
    assert passed is error


HOOKS = """
    import sys

    def hook(type, error, tb):
        print("reported by", hook.name, type.__name__, file=sys.stderr)
        hook.before(type, error, tb)

    def install(name):
        hook.name = name
        hook.before = sys.excepthook
        sys.excepthook = hook
"""


def reports(program):
    """The lines that a program with an uncaught error writes on stderr about its hooks."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HOOKS) + textwrap.dedent(program) + "\n1 / 0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "sys.excepthook" not in done.stderr
    assert "RecursionError" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("reported")]


def test_importing_the_package_keeps_an_error_reporter():
    assert reports("install('earlier'); import asynq") == ["reported by earlier ZeroDivisionError"]


def test_an_error_reporter_that_is_installed_later_chains_to_the_hook():
    assert reports("import asynq; install('later')") == ["reported by later ZeroDivisionError"]


def test_an_error_reporter_that_is_installed_later_stays_after_detaching():
    program = "import asynq; install('later'); asynq.debug.detach_exception_hook()"
    assert reports(program) == ["reported by later ZeroDivisionError"]


def test_hooks_that_chain_to_each_other_end():
    program = """
        import asynq
        install('later')
        asynq.debug.detach_exception_hook()
        asynq.debug.attach_exception_hook()
    """
    assert reports(program) == ["reported by later ZeroDivisionError"]


class Shell:
    def __init__(self):
        self.handler = None
        self.shown = 0

    def set_custom_exc(self, classes, handler):
        self.handler = types.MethodType(handler, self)

    def showtraceback(self):
        self.shown += 1


@pytest.fixture
def shell(monkeypatch):
    """An IPython shell with the methods that the package needs."""
    shell = Shell()
    getipython = types.ModuleType("IPython.core.getipython")
    getipython.get_ipython = lambda: shell
    for name in ("IPython", "IPython.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, getipython.__name__, getipython)
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    debug.attach_exception_hook()
    yield shell
    debug.enable_original_exc_handler(False)


def test_in_ipython_the_hook_is_the_shells(shell, capsys):
    error = raised()
    shell.handler(type(error), error, error.__traceback__)
    assert "ValueError: deep" in capsys.readouterr().err
    assert shell.shown == 0


def test_in_ipython_its_own_traceback_is_shown_too_if_that_is_wanted(shell, capsys):
    debug.enable_original_exc_handler(True)
    error = raised()
    shell.handler(type(error), error, error.__traceback__)
    assert shell.shown == 1
