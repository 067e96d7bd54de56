"""Blocks of `asynq.explain` record the tasks, threads and coroutines that belong to them."""

import asyncio
import threading

from recorded_pages import album, artist, line_of, page

import asynq


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
