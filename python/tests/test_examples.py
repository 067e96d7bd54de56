"""The examples from the command line: their output, and their errors."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "python" / "examples"


def command(name, *arguments):
    return [sys.executable, "-m", name, *arguments]


def environment(**variables):
    return {**os.environ, "PYTHONPATH": str(EXAMPLES), "PYTHONIOENCODING": "utf-8", **variables}


def run(name, *arguments, **variables):
    return subprocess.run(
        command(name, *arguments),
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )


def chinook(*arguments):
    """Returns the output of a successful run, without times and without the explanation."""
    done = run("chinook", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.partition("\nexplained")[0].splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("time "))


def queries(*arguments):
    (line,) = [line for line in chinook(*arguments).splitlines() if line.startswith("queries")]
    return line.split()


def head(*arguments):
    return chinook(*arguments).splitlines()[0]


def refusal(*arguments):
    """Returns the single line of output of a run that fails."""
    done = run("chinook", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    return done.stderr.rstrip("\n")


@pytest.fixture
def database(tmp_path):
    """Creates a database with the tables of the demo, and runs some SQL in it."""

    def make(sql):
        path = tmp_path / "music.sqlite"
        tables = """
            CREATE TABLE Playlist (PlaylistId INTEGER PRIMARY KEY, Name);
            CREATE TABLE PlaylistTrack (PlaylistId, TrackId);
            CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name, AlbumId);
            CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, ArtistId);
            CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name);
        """
        connection = sqlite3.connect(path)
        connection.executescript(f"{tables} BEGIN; {sql}; COMMIT")
        connection.close()
        return str(path)

    return make


def test_the_longest_playlist_takes_three_queries_instead_of_thousands():
    assert chinook("--limit", "3", "--store", "memory") == (
        "Playlist 1 (Music): 3,290 tracks\n"
        "\n"
        "      1  For Those About To Rock (We Salute You)       AC/DC\n"
        "      2  Balls to the Wall                             Accept\n"
        "      3  Fast As a Shark                               Accept\n"
        "         … and 3,287 more\n"
        "\n"
        "           unbatched     batched\n"
        "queries        9,870           3\n"
        "\n"
        "unbatched: artist_of_track(id) of one track after the other; each key is a query\n"
        "batched:   artist_of_track.asynq(id) of all tracks together; each round is a query\n"
    )


@pytest.mark.parametrize("store", ["memory", "postgres", "redis", "memcached"])
def test_the_stores_agree(store):
    arguments = ("--playlist", "Grunge", "--explain", "--store")
    complaint = run("chinook", *arguments, store).stderr
    if "is not installed" in complaint:
        pytest.skip(complaint)
    assert chinook(*arguments, store) == chinook(*arguments, "sqlite")


def test_explain_tells_what_was_flushed():
    text = chinook("--tracks", "1,2,1", "--limit", "0", "--explain")
    assert text.partition("flushed")[2] == (
        ", unbatched:\n"
        "  round  source     keys  distinct\n"
        "      1  Track         1         1\n"
        "      2  Album         1         1\n"
        "      3  Artist        1         1\n"
        "      4  Track         1         1\n"
        "      5  Album         1         1\n"
        "      6  Artist        1         1\n"
        "         … and 3 more\n"
        "\n"
        "flushed, batched:\n"
        "  round  source     keys  distinct\n"
        "      1  Track         3         2\n"
        "      2  Album         3         2\n"
        "      3  Artist        3         2\n"
    )


def test_the_explanation_of_the_batched_run_comes_last():
    text = run("chinook", "--tracks", "1,2,1", "--limit", "0", "--explain").stdout
    assert "3 rounds, 3 batches" in text.partition("\nexplained, batched:\n")[2]


def test_a_playlist_is_found_by_its_number():
    assert head("--playlist", "16") == "Playlist 16 (Grunge): 15 tracks"


def test_a_name_may_be_typed_without_capitals_and_typographic_signs():
    assert head("--playlist", "90's music") == "Playlist 5 (90’s Music): 1,477 tracks"


def test_of_playlists_with_one_name_the_longest_is_taken(database):
    path = database(
        """
        INSERT INTO Playlist VALUES (1, 'Mix'), (2, 'Mix');
        INSERT INTO PlaylistTrack VALUES (1, 1), (2, 1), (2, 2);
        INSERT INTO Track VALUES (1, 'A', 1), (2, 'B', 1);
        INSERT INTO Album VALUES (1, 1); INSERT INTO Artist VALUES (1, 'X')
        """
    )
    assert head("--database", path, "--playlist", "Mix") == "Playlist 2 (Mix): 2 tracks"


def test_tracks_are_listed_in_the_order_given():
    lines = chinook("--tracks", "3502,1,3502").splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["3502", "1", "3502"]


def test_a_list_may_be_longer_than_sqlite_has_variables(database):
    path = database(
        """
        WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 33000)
        INSERT INTO Track SELECT id, 'T', 1 FROM n;
        INSERT INTO Playlist VALUES (1, 'All');
        INSERT INTO PlaylistTrack SELECT 1, TrackId FROM Track;
        INSERT INTO Album VALUES (1, 1); INSERT INTO Artist VALUES (1, 'X')
        """
    )
    counts = queries("--database", path, "--store", "memory")
    assert counts == ["queries", "99,000", "3"]


def test_help_shows_examples():
    assert "examples:\n  python -m chinook" in chinook("--help")


@pytest.mark.skipif(os.name == "nt", reason="no signals between processes on Windows")
def test_ctrl_c_ends_the_demo_without_a_traceback():
    with subprocess.Popen(
        command("chinook", "--limit", "4000", "--store", "memory"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as demo:
        demo.stdout.read(1)  # and there it is: the rest does not fit into the pipe
        demo.send_signal(signal.SIGINT)
        _, complaint = demo.communicate()
    assert (demo.returncode, complaint) == (-signal.SIGINT, b"")


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen(
        command("chinook", "--limit", "4000", "--store", "memory"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as demo:
        demo.stdout.close()
        complaint = demo.stderr.read()
    assert (demo.returncode, complaint) == (0, b"")


@pytest.mark.parametrize(
    ("variables", "label"), [({}, "\x1b[1;31merror:\x1b[0m"), ({"NO_COLOR": "1"}, "error:")]
)
def test_errors_are_red_on_a_terminal_that_wants_colour(variables, label):
    pty = pytest.importorskip("pty", reason="terminals are tested where there are pseudo-terminals")
    ours, theirs = pty.openpty()
    everything = environment(**variables)
    if not variables:
        everything.pop("NO_COLOR", None)
    subprocess.run(command("chinook", "--tracks", "9999"), env=everything, stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 1000).decode()
    os.close(ours)
    assert text == f"{label} there is no track 9999\r\n"


def test_an_unknown_playlist_is_answered_with_those_there_are():
    assert refusal("--playlist", "Grnge").startswith(
        'error: there is no playlist "Grnge"; there are 1 (Music), 8 (Music), 5 (90’s Music)'
    )


def test_a_playlist_without_tracks_is_refused():
    assert refusal("--playlist", "Movies") == "error: playlist 2 (Movies) has no tracks"


def test_a_database_without_playlists_is_refused(database):
    text = refusal("--database", database(""))
    assert text == "error: there are no playlists in the database"


def test_a_key_that_no_row_has_is_named(database):
    path = database("INSERT INTO Track VALUES (1, 'A', 7)")
    text = refusal("--database", path, "--tracks", "1")
    assert text == "error: loader Album, key 7: the batch function returned no value for it"


def test_a_key_whose_row_has_no_value_is_named(database):
    path = database("INSERT INTO Track VALUES (1, 'A', NULL)")
    text = refusal("--database", path, "--tracks", "1")
    assert text == "error: loader Track, key 1: LookupError: its AlbumId is NULL"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--tracks", "1,9999"], "there is no track 9999"),
        (["--tracks", "1,two"], "argument --tracks: '1,two' is not a list of numbers"),
        (["--tracks", ""], "argument --tracks: '' is not a list of numbers"),
        (
            ["--tracks", "1" * 30],
            f"loader Track by TrackId, key {'1' * 30}: OverflowError: Python int too large to"
            " convert to SQLite INTEGER",
        ),
        (["--limit", "ten"], "argument --limit: 'ten' is not a number"),
        (["--limit", "-1"], "argument --limit: '-1' is not a number"),
        (["--plylist", "1"], "unrecognized arguments: --plylist 1"),
        (
            ["--playlist", "1", "--tracks", "1"],
            "argument --tracks: not allowed with argument --playlist",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, text):
    assert refusal(*arguments) == f"error: {text}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"Track,Artist\n" * 100, "file is not a database"),
        (b"", "no such table: Playlist"),
    ],
)
def test_a_file_that_is_no_music_store_is_refused(tmp_path, content, reason):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    text = refusal("--database", str(path))
    assert text == f'error: cannot use "{path}" as the Chinook database: {reason}'


@pytest.mark.parametrize("store", ["redis", "memcached", "postgres"])
def test_a_server_that_is_not_installed_is_named(store):
    program = {"redis": "redis-server"}.get(store, store)
    if store == "postgres" and glob.glob("/usr/lib/postgresql/*/bin/postgres"):
        pytest.skip("PostgreSQL is installed where Debian has it, which no variable hides")
    done = run("chinook", "--store", store, PATH="")
    assert done.stderr == f"error: {program} is not installed: make services\n"
    assert done.returncode == 2


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_ctrl_c_ends_the_server_of_the_demo_too(tmp_path):
    with subprocess.Popen(
        command("chinook", "--store", "redis"),
        # In that mode the interpreter tells of the file whose import the signal interrupts.
        env=environment(TMPDIR=str(tmp_path), PYTHONDEVMODE=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as demo:
        while not any("Ready" in log.read_text() for log in tmp_path.glob("asynq-server-*/log")):
            time.sleep(0.01)
        demo.send_signal(signal.SIGINT)
        _, complaint = demo.communicate()
    assert (demo.returncode, complaint) == (-signal.SIGINT, b"")
    # It goes when the server has ended.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("memcached") is None, reason="memcached is not installed")
def test_the_memcached_demo_reads_all_keys_at_once():
    done = run("memcached")
    assert (done.returncode, done.stderr, done.stdout) == (
        0,
        "",
        "first: 328350, 100 computed, 100 set, 100 keys in 1 get\n"
        "again: 328350, 0 computed, 0 set, 100 keys in 1 get\n",
    )
