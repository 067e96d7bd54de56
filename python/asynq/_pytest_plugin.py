"""The pytest plugin: runs async tests, and asserts and reports their rounds.

- Tests that are `@asynq()` or `async def` functions are run by the scheduler. Those with a marker
  of another plugin (`asyncio`, `anyio`, `trio`) are left to it.
- The fixture `asynq_rounds` fails a test whose block makes other rounds than allowed:
  `with asynq_rounds(at_most=3): ...`.
- `--asynq-report` lists the rounds of each test; `--asynq-report=report.html` explains them.
"""

import inspect
import os

import pytest

from ._asynq import ExplainSession, Recording
from ._explain.explanation import Explanation, explain, with_flows
from ._explain.rounds import rounds
from .decorators import asynq, is_async_fn

_OTHERS = ("anyio", "asyncio", "trio", "tornado", "twisted")


@pytest.fixture
def asynq_rounds():
    """A block that fails if its code makes other rounds than allowed.

    `with asynq_rounds(at_most=3): ...`, `with asynq_rounds(exactly=2): ...`; of single sources:
    `at_most={"user": 1}`, or `at_most=1, source="user"`. The failure explains the rounds.
    """
    return rounds


# Tests


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Collects functions that pytest would refuse: decorated generators."""
    if not (collector.funcnamefilter(name) and _is_async_test(obj)):
        return None
    return list(collector._genfunctions(name, obj))


def _is_async_test(obj):
    try:
        return is_async_fn(obj) and callable(obj) and not inspect.isclass(obj)
    except Exception:
        return False  # An object that answers every question.


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem):
    """Runs a test that is an async function."""
    test = pyfuncitem.obj
    if not is_async_fn(test):
        if not inspect.iscoroutinefunction(test):
            return None
        if any(pyfuncitem.get_closest_marker(marker) for marker in _OTHERS):
            return None
        test = asynq()(test)
    names = pyfuncitem._fixtureinfo.argnames
    test(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


# Reports


def pytest_addoption(parser):
    group = parser.getgroup("asynq")
    group.addoption(
        "--asynq-report",
        nargs="?",
        const="-",
        metavar="FILE",
        help="list the rounds of each test; with a FILE (report.html, trace.json, recording.jsonl)"
        " explain them there",
    )


def pytest_configure(config):
    path = config.getoption("--asynq-report")
    if path is None:
        return
    if path != "-":
        try:
            Recording.check_path(path)
        except ValueError as error:
            raise pytest.UsageError(f"--asynq-report: {error}") from None
    config.pluginmanager.register(_Reporter(config, path), "asynq-report")


class _Reporter:
    """Records the tests of a run."""

    def __init__(self, config, path):
        self._config = config
        self._path = path
        self._session = None

    def pytest_sessionstart(self):
        if self._path != "-":
            self._session = ExplainSession(
                "pytest", "repr", 1_000_000, 1.0, all_threads=True, everything=True
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        with explain(keys="repr") as why:
            try:
                return (yield)
            finally:
                explanation = Explanation(with_flows(why._session.recording()))
                if explanation.requests:
                    found = [f"{one.file}:{one.line}: {one.kind}" for one in explanation.findings]
                    item.user_properties.append(("asynq", [explanation.rounds, found]))

    def pytest_sessionfinish(self):
        if self._session is None:
            return
        explanation = Explanation(with_flows(self._session.end()))
        worker = getattr(self._config, "workerinput", None)
        if worker is not None:
            stem, extension = os.path.splitext(self._path)
            explanation.save(f"{stem}.{worker['workerid']}{extension}")
        elif explanation.requests or not self._config.getoption("numprocesses", None):
            explanation.save(self._path)

    def pytest_terminal_summary(self, terminalreporter):
        rows = []
        for reports in terminalreporter.stats.values():
            for report in reports:
                if getattr(report, "when", None) == "call":
                    for name, value in report.user_properties:
                        if name == "asynq":
                            rows.append((value[0], report.nodeid, value[1]))
        terminalreporter.section("asynq rounds")
        for count, test, found in sorted(rows, key=lambda row: (-row[0], row[1])):
            terminalreporter.write_line(f"{count:6} {'round ' if count == 1 else 'rounds'}  {test}")
            for finding in found:
                terminalreporter.write_line(f"               {finding}")
        if not rows:
            terminalreporter.write_line("no test has asked a source")
        elif self._path != "-":
            terminalreporter.write_line(f"explained in {self._path}")
