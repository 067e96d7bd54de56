"""Events that `asynq.explain` records, and the lines of code that they name."""

import pytest
from conftest import Source
from recorded_pages import artist, events, line_of, page, pages

import asynq
from asynq import AsyncContext


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


def test_the_priority_of_a_batch_is_recorded(tmp_path):
    source = Source(priority=(7, "high"))
    with asynq.explain() as why:

        @asynq.asynq()
        def caller():
            return (yield source.item(1))

        caller()
    assert [flush["priority"] for flush in events(why, tmp_path, "flush")] == ["(7, 'high')"]
