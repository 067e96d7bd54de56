"""`asynq.explain`: the rounds of the code in a block, and where they come from."""

import asyncio
import json
import threading

import pytest
from conftest import Source

import asynq
from asynq import AsyncContext

artist = asynq.Loader(lambda ids: [f"artist {id}" for id in ids], name="artist")
album = asynq.Loader(lambda ids: [f"album {id}" for id in ids], name="album")


@asynq.asynq()
def page(id):
    name = yield artist.asynq(id)
    return (yield album.asynq(name))


@asynq.asynq()
def pages(ids):
    return (yield [page.asynq(id) for id in ids])


@asynq.asynq()
def early(id):
    name = yield artist.asynq(id)
    title = yield album.asynq(id)
    return name, title


def events(why, tmp_path, kind=None):
    """Returns the lines of a recording: all, or the members of those of a kind."""
    why.save(tmp_path / "why.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text().splitlines()]
    return lines if kind is None else [line[kind] for line in lines if kind in line]


def line_of(function, text):
    """Returns the line of the code of a function that has this text."""
    import inspect

    lines, first = inspect.getsourcelines(getattr(function, "fn", function))
    return first + next(index for index, line in enumerate(lines) if text in line)


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


def test_an_await_in_a_helper_is_at_the_line_of_the_helper(tmp_path):
    def helper(id):
        return (yield from artist.asynq(id))

    @asynq.asynq()
    def caller(id):
        return (yield from helper(id))

    with asynq.explain() as why:
        caller(1)
    sites = {site["id"]: site for site in events(why, tmp_path, "site")}
    (wait,) = events(why, tmp_path, "wait")
    inner = sites[wait["at"]]
    outer = sites[inner["within"]]
    assert (inner["line"], outer["line"]) == (
        line_of(helper, "artist.asynq"),
        line_of(caller, "helper(id)"),
    )


def test_a_coroutine_in_a_coroutine_is_at_its_line(tmp_path):
    async def helper(id):
        return await artist.asynq(id)

    @asynq.asynq()
    async def caller(id):
        return await helper(id)

    with asynq.explain() as why:
        caller(1)
    sites = {site["id"]: site for site in events(why, tmp_path, "site")}
    (wait,) = events(why, tmp_path, "wait")
    assert sites[wait["at"]]["line"] == line_of(helper, "artist.asynq")
    assert sites[sites[wait["at"]]["within"]]["line"] == line_of(caller, "helper(id)")


def test_a_task_of_this_package_is_at_the_line_that_calls_it(tmp_path):
    @asynq.asynq()
    def caller(ids):
        return (yield artist.load_many.asynq(ids))

    with asynq.explain() as why:
        caller([1, 2])
    sites = {site["id"]: site for site in events(why, tmp_path, "site")}
    lines = {sites[load["at"]]["line"] for load in events(why, tmp_path, "load")}
    assert lines == {line_of(caller, "load_many")}


def test_a_comprehension_is_at_the_line_of_its_function(tmp_path):
    with asynq.explain() as why:
        pages([1])
    sites = {site["id"]: site for site in events(why, tmp_path, "site")}
    created = [sites[task["at"]] for task in events(why, tmp_path, "task") if "by" in task]
    assert [site["line"] for site in created] == [line_of(pages, "page.asynq")]
    assert created[0]["function"].endswith("pages")


def test_a_synchronous_call_in_a_task_is_recorded_with_its_line(tmp_path):
    @asynq.asynq()
    def caller(id):
        yield artist.asynq(id)
        return page(id)

    with asynq.explain() as why:
        caller(1)
    sites = {site["id"]: site for site in events(why, tmp_path, "site")}
    outer, inner = events(why, tmp_path, "call")
    assert (outer["depth"], inner["depth"]) == (1, 2)
    assert sites[inner["at"]]["line"] == line_of(caller, "page(id)")
    assert [one.reason for one in why.requests] == ["idle", "call", "call"]


def test_a_pending_key_is_shared(tmp_path):
    with asynq.explain() as why:
        pages([1, 1])
    assert [load["how"] for load in events(why, tmp_path, "load")][:2] == ["new", "shared"]


def test_a_cached_key_is_recorded_as_cached(tmp_path):
    cached = asynq.Loader(lambda ids: ids, name="cached", cache=True)
    cached(1)
    with asynq.explain() as why:
        cached(1)
    assert [load["how"] for load in events(why, tmp_path, "load")] == ["cached"]


def test_contexts_are_recorded_by_name(tmp_path):
    class Timed(AsyncContext):
        def resume(self):
            pass

        pause = resume

    @asynq.asynq()
    def caller(id):
        with Timed():
            return (yield page.asynq(id))

    with asynq.explain() as why:
        caller(1)
    name = Timed.__qualname__
    assert [task.get("contexts", []) for task in events(why, tmp_path, "task")] == [[], [name]]
    assert [change["context"] for change in events(why, tmp_path, "leave")] == [name]


def test_the_error_of_a_task_is_recorded_in_one_line(tmp_path):
    @asynq.asynq()
    def fails():
        yield artist.asynq(1)
        raise ValueError("one\ntwo")

    with asynq.explain() as why, pytest.raises(ValueError, match="one"):
        fails()
    assert [end["error"] for end in events(why, tmp_path, "end")] == ["ValueError: one"]


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


def test_the_priority_of_a_batch_is_recorded(tmp_path):
    source = Source(priority=(7, "high"))
    with asynq.explain() as why:

        @asynq.asynq()
        def caller():
            return (yield source.item(1))

        caller()
    assert [flush["priority"] for flush in events(why, tmp_path, "flush")] == ["(7, 'high')"]


# Where it records


def test_nested_blocks_record_what_is_in_each():
    with asynq.explain() as outer:
        page(1)
        with asynq.explain() as inner:
            page(2)
    assert (outer.rounds, inner.rounds) == (4, 2)


def test_other_threads_are_recorded():
    with asynq.explain() as why:
        threads = [threading.Thread(target=page, args=(id,)) for id in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(why.requests) == 4


def test_other_threads_can_be_left_out():
    with asynq.explain(all_threads=False) as why:
        thread = threading.Thread(target=page, args=(1,))
        thread.start()
        thread.join()
    assert why.requests == []


def test_blocks_of_other_threads_are_their_own():
    found = []

    def run(id):
        with asynq.explain(keys="repr") as why:
            page(id)
        found.append((id, why.requests[0].texts))

    threads = [threading.Thread(target=run, args=(id,)) for id in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(1, ["1"]), (2, ["2"])]


def test_a_block_in_a_task_records_what_is_awaited_in_it():
    @asynq.asynq()
    def caller(id):
        yield page.asynq(id)
        with asynq.explain() as why:
            yield page.asynq(id)
        yield page.asynq(id)
        return why

    assert caller(1).rounds == 2


def test_coroutines_of_an_event_loop_are_recorded():
    async def main():
        first = await page.asyncio(1)
        return first, await page.asyncio(2)

    with asynq.explain() as why:
        asyncio.run(main())
    assert why.rounds == 4


def test_coroutines_that_run_together_are_in_the_same_rounds():
    async def main():
        return await asyncio.gather(page.asyncio(1), page.asyncio(2))

    with asynq.explain() as why:
        asyncio.run(main())
    assert (why.rounds, len(why.requests)) == (2, 2)


def test_a_block_in_a_coroutine_records_that_coroutine():
    async def handle(id):
        async with asynq.explain() as why:
            await page.asyncio(id)
        return why

    async def main():
        return await asyncio.gather(handle(1), handle(2), page.asyncio(3))

    first, second, _ = asyncio.run(main())
    assert [(why.rounds, len(why.requests)) for why in (first, second)] == [(2, 2), (2, 2)]


def test_an_early_await_of_a_coroutine_is_found():
    async def main(id):
        name = await artist.asyncio(id)
        title = await album.asyncio(id)
        return name, title

    with asynq.explain() as why:
        asyncio.run(main(1))
    (finding,) = why.findings
    assert finding.line == line_of(main, "artist.asyncio")


def test_a_task_that_was_made_before_the_block_is_recorded():
    task = page.asynq(1)
    with asynq.explain() as why:
        task.value()
    assert why.rounds == 2


def test_nothing_is_recorded_after_the_block():
    with asynq.explain() as why:
        page(1)
    page(2)
    assert why.rounds == 2


def test_a_block_can_be_looked_at_while_it_records():
    with asynq.explain() as why:
        page(1)
        assert why.rounds == 2
        page(2)
    assert why.rounds == 4


def test_a_sample_has_some_of_the_outermost_calls():
    with asynq.explain(sampling=0.5) as why:
        for id in range(4):
            page(id)
    assert len(why.requests) == 4


def test_a_recording_keeps_the_latest_events():
    with asynq.explain(capacity=10) as why:
        for id in range(9):
            page(id)
    assert why._recording.dropped > 0
    assert why.rounds > 0


def test_recording_changes_neither_values_nor_batches():
    calls = []

    @asynq.loader
    def counted(ids):
        calls.append(ids)
        return ids

    @asynq.asynq()
    def caller(ids):
        return (yield [counted.asynq(id) for id in ids])

    with asynq.explain():
        assert caller([1, 2, 1]) == [1, 2, 1]
    assert calls == [[1, 2]]


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
