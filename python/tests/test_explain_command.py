"""`python -m asynq explain` and `ASYNQ_EXPLAIN`: whole programs."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import sys
    import asynq

    @asynq.loader
    def artist(ids):
        return {id: f"artist {id}" for id in ids}

    @asynq.asynq()
    def page(id):
        return (yield artist.asynq(id))

    print(sys.argv, __name__, page(1))
"""


@pytest.fixture
def run(tmp_path):
    """Runs `python *arguments` beside a program `page.py`, which ends with `more`."""

    def run(*arguments, more="", **variables):
        (tmp_path / "page.py").write_text(textwrap.dedent(PROGRAM) + textwrap.dedent(more))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )

    return run


def explain(run, *arguments, **more):
    return run("-m", "asynq", "explain", *arguments, **more)


def test_the_program_runs_as_without_asynq(run):
    explained, plain = explain(run, "page.py", "a", "--b"), run("page.py", "a", "--b")
    assert (explained.stdout, explained.returncode) == (plain.stdout, 0)
    assert plain.stderr == ""


def test_the_explanation_is_printed_to_stderr(run):
    done = explain(run, "page.py")
    assert done.stderr.startswith("page.py: 1 round, 1 batch, 1 key")


def test_the_exit_status_is_that_of_the_program(run):
    done = explain(run, "page.py", more="sys.exit(7)")
    assert done.returncode == 7
    assert "1 round" in done.stderr


def test_an_error_is_shown_as_without_asynq(run):
    more = "raise ValueError('mine')"
    explained, plain = explain(run, "page.py", more=more), run("page.py", more=more)
    assert explained.returncode == plain.returncode == 1
    assert explained.stderr.startswith(plain.stderr)


def test_a_module_is_run(run):
    explained, plain = explain(run, "-m", "page", "a"), run("-m", "page", "a")
    assert explained.stdout == plain.stdout
    assert "1 round" in explained.stderr


def test_options_of_the_interpreter_count_for_the_program(run):
    more = "print(sys.flags.dev_mode)"
    done = run("-X", "dev", "-m", "asynq", "explain", "page.py", more=more)
    assert done.stdout.endswith("True\n")


def test_a_report_is_written(run, tmp_path):
    done = explain(run, "-o", "report.html", "page.py")
    assert done.stderr == f"asynq: 1 round, explained in {tmp_path / 'report.html'}\n"
    assert "artist" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_is_written_where_the_program_began(run, tmp_path):
    explain(run, "-o", "report.jsonl", "page.py", more="import os; os.chdir('/')")
    assert (tmp_path / "report.jsonl").exists()


def test_keys_are_shown_if_they_are_asked_for(run, tmp_path):
    explain(run, "--keys", "repr", "-o", "why.jsonl", "page.py")
    lines = map(json.loads, (tmp_path / "why.jsonl").read_text().splitlines())
    assert [line["load"]["text"] for line in lines if "load" in line] == ["1"]


def test_a_recording_is_shown(run):
    explain(run, "-o", "why.jsonl", "page.py")
    done = explain(run, "why.jsonl")
    assert done.stdout.startswith("page.py: 1 round")


def test_the_environment_variable_explains_any_program(run, tmp_path):
    done = run("page.py", ASYNQ_EXPLAIN="trace.json")
    assert done.returncode == 0
    json.loads((tmp_path / "trace.json").read_text())


def test_an_unknown_form_is_refused_before_the_program_runs(run):
    done = run("page.py", ASYNQ_EXPLAIN="report.doc")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("ValueError: ASYNQ_EXPLAIN: cannot tell")


def test_a_folder_that_is_missing_changes_nothing_of_the_program(run):
    done = run("page.py", ASYNQ_EXPLAIN="nowhere/report.html")
    assert done.returncode == 0
    assert done.stderr.startswith("asynq: cannot write ")


@pytest.mark.skipif(os.name == "nt", reason="no signals between processes on Windows")
def test_ctrl_c_saves_the_report(tmp_path, run):
    run("-c", "", more="print('ready', flush=True)\nimport time\ntime.sleep(60)")
    with subprocess.Popen(
        [sys.executable, "-m", "asynq", "explain", "-o", "report.jsonl", "page.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        while program.stdout.readline() != "ready\n":
            pass
        program.send_signal(signal.SIGINT)
        _, complaint = program.communicate()
    assert program.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in complaint
    assert (tmp_path / "report.jsonl").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_process_writes_a_report_of_its_own(run, tmp_path):
    more = "import os\nif os.fork() == 0:\n    page(2)\n    sys.exit()\nos.wait()"
    assert explain(run, "-o", "report.jsonl", "page.py", more=more).returncode == 0
    assert len(list(tmp_path.glob("report*.jsonl"))) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "which program?"),
        (["-o", "report.doc", "page.py"], "report.doc"),
        (["--keys", "all", "page.py"], "invalid choice: 'all'"),
        (["nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(run, arguments, text):
    done = explain(run, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr.splitlines()[-1]


def test_there_is_no_other_command(run):
    done = run("-m", "asynq", "explian")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m asynq explain")
