"""The pytest plugin, on tests that run in a session of their own."""

import pytest

pytest_plugins = ["pytester"]

SOURCES = """
import asynq
import pytest

artist = asynq.Loader(lambda ids: [f"artist {id}" for id in ids], name="artist")
album = asynq.Loader(lambda ids: [f"album {id}" for id in ids], name="album")

@asynq.asynq()
def page(id):
    name = yield artist.asynq(id)
    return name, (yield album.asynq(id))
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs tests in this process. Returns the result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests, *options):
        pytester.makepyfile(SOURCES + tests)
        return pytester.runpytest_inprocess("-p", "asynq._pytest_plugin", *options)

    return run


def test_async_functions_are_run(run):
    result = run(
        """
        @asynq.asynq()
        def test_generator():
            assert (yield artist.asynq(1)) == "artist 1"

        @asynq.asynq()
        def test_generator_that_fails():
            assert (yield artist.asynq(1)) == "artist 2"

        @asynq.asynq()
        async def test_coroutine():
            assert await artist.asynq(1) == "artist 1"

        async def test_coroutine_that_fails():
            assert await artist.asynq(1) == "artist 2"

        @asynq.asynq()
        def test_function():
            assert artist(1) == "artist 2"
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(passed=2, failed=3)


def test_async_functions_have_fixtures_and_parameters(run):
    result = run(
        """
@pytest.fixture
def two():
    return 2

@pytest.mark.parametrize("id", [1, 2])
@asynq.asynq()
def test_both(two, id):
    assert (yield artist.asynq(id)) == f"artist {id}"
    assert two == 2
"""
    )
    result.assert_outcomes(passed=2)


def test_methods_are_run(run):
    result = run(
        """
class TestPage:
    @asynq.asynq()
    def test_generator(self):
        assert (yield artist.asynq(1)) == "artist 2"

    @asynq.asynq()
    async def test_coroutine(self):
        assert await artist.asynq(1) == "artist 1"
"""
    )
    result.assert_outcomes(passed=1, failed=1)


def test_a_failure_shows_the_line_of_the_test(run):
    result = run(
        """
@asynq.asynq()
def test_fails():
    name = yield artist.asynq(1)
    assert name == "artist 2"
"""
    )
    result.stdout.fnmatch_lines(["*assert name == *", "*E * AssertionError*"])


def test_coroutines_of_other_plugins_are_left_to_them(run, pytester):
    pytester.makeini("[pytest]\nmarkers = asyncio")
    result = run(
        """
@pytest.mark.asyncio
async def test_of_another_plugin():
    pass
"""
    )
    assert result.parseoutcomes().get("passed", 0) == 0


def test_rounds_within_the_limit_pass(run):
    result = run(
        """
def test_page(asynq_rounds):
    with asynq_rounds(at_most=3):
        page(1)
    with asynq_rounds(exactly=2):
        page(1)
    with asynq_rounds(2):
        page(1)
    with asynq_rounds(at_most={"artist": 1, "album": 1}):
        page(1)
    with asynq_rounds(at_most=1, source="artist"):
        page(1)
"""
    )
    result.assert_outcomes(passed=1)


def test_too_many_rounds_fail_with_the_explanation(run):
    result = run(
        """
def test_page(asynq_rounds):
    with asynq_rounds(at_most=1):
        page(1)
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*2 rounds, expected at most 1*", "*artist*", "*album*", "*What to change first, *:9: *"]
    )


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("exactly=3", "2 rounds, expected exactly 3"),
        ("exactly={'artist': 2}", "1 round of artist, expected exactly 2"),
        ("at_most=0, source='album'", "1 round of album, expected at most 0"),
        ("at_most=0, source='label'", None),
    ],
)
def test_limits_are_of_all_rounds_or_those_of_a_source(run, limit, text):
    result = run(
        f"""
def test_page(asynq_rounds):
    with asynq_rounds({limit}):
        page(1)
"""
    )
    if text is None:
        result.assert_outcomes(passed=1)
    else:
        result.stdout.fnmatch_lines([f"*{text}*"])


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("", "how many rounds"),
        ("at_most='3'", "must be a number of rounds, got '3'"),
        ("exactly=-1", "must be a number of rounds, got -1"),
        ("exactly={'artist': 1}, source='album'", "leave out source="),
    ],
)
def test_limits_that_make_no_sense_are_refused(run, limit, text):
    result = run(f"def test_page(asynq_rounds):\n    asynq_rounds({limit})\n")
    result.stdout.fnmatch_lines([f"*TypeError: *{text}*"])


def test_an_error_in_the_block_is_not_hidden(run):
    result = run(
        """
def test_page(asynq_rounds):
    with asynq_rounds(exactly=5):
        raise KeyError("mine")
"""
    )
    result.stdout.fnmatch_lines(["*KeyError: 'mine'*"])


def test_the_report_lists_the_rounds_of_each_test(run):
    result = run("def test_page():\n    page(1)\n", "--asynq-report")
    result.stdout.fnmatch_lines(["*asynq rounds*", "*2 rounds *test_page*", "*:9: early await"])


def test_the_report_is_written_to_a_file(run, pytester):
    run("def test_page():\n    page(1)\n", "--asynq-report=report.html")
    assert "artist" in (pytester.path / "report.html").read_text(encoding="utf-8")


def test_a_report_of_an_unknown_form_is_refused(run):
    result = run("def test_page():\n    page(1)\n", "--asynq-report=report.doc")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--asynq-report: *report.doc*"])
