"""`asynq.explain`: the rounds of the code in a block, and where they come from."""

import asyncio

import pytest
from conftest import Source
from recorded_pages import album, artist, line_of, page, pages

import asynq


@asynq.asynq()
def early(id):
    name = yield artist.asynq(id)
    title = yield album.asynq(id)
    return name, title


# Rounds and requests


def test_a_round_is_what_waits_for_the_round_before():
    with asynq.explain() as why:
        pages([1, 2, 3])
    assert (why.rounds, why.source_rounds) == (2, {"artist": 1, "album": 1})


def test_requests_are_listed_with_their_keys():
    with asynq.explain(keys="repr") as why:
        pages([1, 2])
    first, second = why.requests
    assert (first.round, first.source, first.keys, first.texts) == (1, "artist", 2, ["1", "2"])
    assert (second.round, second.source, second.reason) == (2, "album", "idle")


def test_keys_are_counted_only_unless_they_are_asked_for(monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with asynq.explain() as why:
        page(1)
    assert why.requests[0].texts == [None]


def test_keys_are_shown_in_tests():
    with asynq.explain() as why:
        page(1)
    assert why.requests[0].texts == ["1"]


def test_keys_may_be_shown_as_hashes():
    with asynq.explain(keys="hash") as why:
        page(1)
    assert len(why.requests[0].texts[0]) == 16


def test_batches_of_the_user_are_sources():
    source = Source()

    @asynq.asynq()
    def doubled(key):
        return (yield source.item(key))

    @asynq.asynq()
    def all_doubled(keys):
        return (yield [doubled.asynq(key) for key in keys])

    with asynq.explain() as why:
        all_doubled([1, 2, 1])
    assert [(one.source, one.keys, one.texts) for one in why.requests] == [
        ("Batch", 3, ["1", "2", "1"])
    ]


def test_an_early_await_is_found_at_its_line():
    with asynq.explain() as why:
        early(1)
    (finding,) = why.findings
    assert finding.kind == "early await"
    assert (finding.file, finding.line) == (__file__, line_of(early, "artist.asynq"))
    assert (finding.rounds, finding.rounds_after) == (2, 1)


def test_a_program_without_a_fault_has_no_finding():
    with asynq.explain() as why:
        pages([1, 2, 3])
    assert why.findings == []


def test_the_error_of_a_request_is_recorded():
    def fail(ids):
        raise ValueError("no store")

    loader = asynq.Loader(fail, name="failing")
    with asynq.explain() as why, pytest.raises(asynq.LoadError):
        loader(1)
    assert why.requests[0].error.endswith("ValueError: no store")


def test_a_full_batch_is_sent_because_it_is_full():
    @asynq.loader(max_batch_size=1)
    async def single(ids):
        return ids

    async def main():
        return await asyncio.gather(single.asyncio(1), single.asyncio(2))

    with asynq.explain() as why:
        asyncio.run(main())
    assert [one.reason for one in why.requests] == ["full", "full"]


def test_a_flush_that_code_asks_for_is_recorded_as_asked_for():
    source = Source()

    @asynq.asynq()
    def caller():
        item = source.item(1)
        source.item(2).batch.flush()
        return (yield item)

    @asynq.asynq()
    def waits():
        item = source.item(1)
        other = waiting.asynq(item)
        return (yield other, flushes.asynq(item.batch))

    @asynq.asynq()
    def waiting(item):
        return (yield item)

    @asynq.asynq()
    def flushes(batch):
        batch.flush()

    with asynq.explain() as why:
        waits()
    assert [one.reason for one in why.requests] == ["asked"]


def test_a_batch_function_that_is_a_task_has_seen_what_its_callers_have():
    @asynq.loader(name="titles")
    @asynq.asynq()
    def titles(ids):
        return (yield [artist.asynq(id) for id in ids])

    @asynq.asynq()
    def caller(id):
        found = yield album.asynq(id)
        return (yield titles.asynq(found))

    with asynq.explain() as why:
        caller(1)
    assert [(one.round, one.source) for one in why.requests] == [
        (1, "album"),
        (2, "titles"),
        (3, "artist"),
    ]


# Reports


def test_it_is_printed(capsys):
    with asynq.explain() as why:
        early(1)
    why.print()
    out = capsys.readouterr().out
    assert "2 rounds" in out
    assert f"test_explain.py:{line_of(early, 'artist.asynq')}: " in out


@pytest.mark.parametrize("name", ["a.html", "a.jsonl", "a.json", "a.mmd", "a.dot", "a.txt"])
def test_it_is_saved_in_the_form_of_the_extension(tmp_path, name):
    with asynq.explain() as why:
        page(1)
    why.save(tmp_path / name)
    assert "artist" in (tmp_path / name).read_text(encoding="utf-8")


def test_an_unknown_extension_is_refused(tmp_path):
    with asynq.explain() as why:
        page(1)
    with pytest.raises(ValueError, match=r"\.html"):
        why.save(tmp_path / "why.doc")


def test_a_saved_recording_is_loaded(tmp_path):
    with asynq.explain() as why:
        early(1)
    why.save(tmp_path / "why.jsonl")
    loaded = asynq.explain.load(tmp_path / "why.jsonl")
    assert (loaded.rounds, loaded.requests) == (why.rounds, why.requests)
    assert [one.line for one in loaded.findings] == [one.line for one in why.findings]


def test_a_file_that_is_no_recording_is_refused(tmp_path):
    (tmp_path / "why.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="not a recording"):
        asynq.explain.load(tmp_path / "why.jsonl")


# Misuse


@pytest.mark.parametrize(
    ("settings", "text"), [({"keys": "all"}, "keys must be"), ({"sampling": 2.0}, "sampling")]
)
def test_settings_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(ValueError, match=text), asynq.explain(**settings):
        pass


def test_a_block_is_recorded_once():
    why = asynq.explain()
    with why:
        page(1)
    with pytest.raises(RuntimeError, match="another one"), why:
        pass


def test_nothing_is_explained_before_the_block():
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        asynq.explain().rounds  # noqa: B018
