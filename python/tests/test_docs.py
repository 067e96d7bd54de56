"""The Python examples of the documentation run on real servers."""

import re
import runpy
import sqlite3
import sys
import types
import warnings
from pathlib import Path

from servers.memcached import MemcachedServer
from servers.redis import RedisServer

from asynq._explain.rounds import rounds

DOCS = Path(__file__).parents[2] / "docs"


def examples(page, section=None):
    """Returns the Python examples of a page, or of one of its sections."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if section is not None:
        parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
        text = dict(zip(parts[1::2], parts[2::2]))[section]
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


def test_a_batch_of_ones_own_sends_one_request(capsys):
    exec(examples("python/index.md", "A batch of your own"), {})
    assert capsys.readouterr().out == (
        "SELECT name FROM user WHERE id IN [1, 2, 3]\n"
        "['Hello, user 1!', 'Hello, user 2!', 'Hello, user 3!']\n"
    )


def test_the_five_lines_of_the_readme_are_true(monkeypatch, capsys):
    monkeypatch.chdir(DOCS.parent)
    names = {}
    exec(examples("../README.md", "Five lines to batch your database"), names)
    assert capsys.readouterr().out.startswith("AC/DC: ")
    assert [names[name].stats.batches for name in ("artist", "albums")] == [1, 1]
    names["music"].close()


def test_the_page_about_async_functions_is_true():
    exec(examples("python/async-functions.md"), {})


def test_the_page_about_loaders_is_true(monkeypatch):
    # Strawberry looks for the types of a resolver in its module.
    module = types.ModuleType("loaders_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(examples("python/loaders.md"), vars(module))


def test_the_tutorial_is_true(monkeypatch, tmp_path):
    monkeypatch.chdir(DOCS.parent)
    # Explanations read the source of the functions.
    path = tmp_path / "tutorial.py"
    path.write_text(examples("python/tutorial.md"), encoding="utf-8")
    runpy.run_path(str(path))


def test_the_page_about_dataloaders_is_true():
    exec(examples("python/from-dataloader.md"), {})


def test_the_page_about_testing_is_true():
    exec(examples("python/testing.md"), {})


def test_the_page_about_debugging_is_true(tmp_path, capfd):
    # Explanations and tracebacks read the source of the functions.
    path = tmp_path / "debugging.py"
    path.write_text(examples("python/debugging.md"), encoding="utf-8")
    runpy.run_path(str(path))
    printed = " ".join(capfd.readouterr().out.split())  # Lines end where the terminal does.
    assert "1 round instead of 3" in printed
    assert "@async: -> batch flush" in printed


def message(code, names):
    """Runs a mistake. Returns the text of its error, or of its warning, without addresses."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            exec(code, names)
        except Exception as error:
            shown = error
        else:
            (shown,) = (warning.message for warning in found)
    return re.sub(r" at 0x\w+", " at 0x…", f"{type(shown).__name__}: {shown}\n")


def test_the_page_about_mistakes_has_their_exact_texts():
    text = (DOCS / "python/common-mistakes.md").read_text(encoding="utf-8")
    setup, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for section in sections:
        names = {"__name__": "page"}
        exec(re.search(r"```python\n(.*?)```", setup, re.DOTALL)[1], names)
        mistake, shown, correct = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
        assert message(mistake, names) == shown, section
        exec(correct, names)


def test_the_page_about_sharing_is_true():
    exec(examples("python/who-shares-a-batch.md"), {})


def test_the_page_about_explanations_is_true(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(examples("explain.md"), names)
    assert "2 rounds" in capsys.readouterr().out
    names["test_page"](rounds)
    names["PageTest"]("test_page").debug()


def test_the_page_about_sqlite_is_true(tmp_path):
    path = tmp_path / "music.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE Artist (ArtistId INTEGER, Name TEXT);
        INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Accept');
        CREATE TABLE Album (AlbumId INTEGER, Title TEXT, ArtistId INTEGER);
        INSERT INTO Album VALUES (1, 'Powerage', 1), (2, 'Breaker', 2), (3, 'Accept', 2);
        """
    )
    connection.close()
    names = {}
    exec(examples("stores/sqlite.md").replace("music.sqlite", str(path)), names)
    assert names["pages"]([1, 2]) == ["AC/DC: Powerage", "Accept: Accept, Breaker"]
    names["music"].close()


def test_the_page_about_postgresql_is_true():
    names = {}
    exec(examples("stores/postgresql.md"), names)
    assert names["name"].name == "artist by artist_id"


def test_the_page_about_redis_is_true():
    with RedisServer() as server:
        code = examples("stores/redis.md").replace("localhost:6379", f"127.0.0.1:{server.port}")
        names = {}
        exec(code, names)
        redis = names["redis"]
        redis.hset("user:ann", "name", "Ann")
        redis.hset("user:bob", "name", "Bob")
        before = redis.operations.stats.batches
        assert names["profiles"](["ann", "bob"]) == [("Ann", 1), ("Bob", 1)]
        assert redis.operations.stats.batches == before + 1
        redis.close()


def test_the_pages_about_memcached_and_the_cache_are_true():
    with MemcachedServer() as server:
        code = examples("stores/memcached.md") + examples("stores/cache.md")
        names = {}
        exec(
            "from asynq import asynq\n"
            + code.replace("localhost:11211", f"127.0.0.1:{server.port}"),
            names,
        )
        memcached = names["memcached"]
        # Set, get, two for the first sum, one for the second.
        assert memcached.operations.stats.batches == 5
        assert names["sum_of_squares"](range(100)) == sum(n * n for n in range(100))
        memcached.close()
