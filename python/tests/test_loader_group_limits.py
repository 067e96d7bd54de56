"""The limit of a group of loaders, for all kinds of batch functions and wherever they run."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from loader_kinds import (
    KINDS,
    SECONDS,
    Running,
    asking,
    blocking,
    coroutine,
    inner_kinds,
    kinds,
    plain,
    synchronously,
    task,
    tick,
    ways,
)

import asynq
from asynq.loaders import Group, Loader
from asynq.stores.sqlite import Sqlite


@pytest.fixture
def running():
    return Running()


@ways
def test_loaders_of_all_kinds_send_one_batch_at_a_time(running, load_all):
    group = Group(max_in_flight=1)
    loaders = [kind(running, group=group, max_batch_size=1) for kind in KINDS]
    loads = [(loader, key) for key in range(4) for loader in loaders]
    assert load_all(loads) == [10 * key for _, key in loads]
    assert running.calls == 16
    assert running.most == 1
    assert group.limit._free == 1


@ways
def test_as_many_batches_overlap_as_the_group_allows(load_all):
    meeting = threading.Barrier(2)
    running = Running()

    def function(keys):
        with running:
            meeting.wait(SECONDS)
        return keys

    group = Group(max_in_flight=2)
    loaders = [Loader(function, blocking=True, group=group) for _ in range(4)]
    assert load_all([(loader, 1) for loader in loaders]) == [1] * 4
    assert running.most == 2


@ways
@kinds
@inner_kinds
@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_nested_load_of_the_same_group_does_not_hang(running, kind, inner_kind, load_all):
    group = Group(max_in_flight=1)
    inner = inner_kind(running, group=group, max_batch_size=2)
    outer = asking(kind, inner, running, group=group, max_batch_size=1)
    loads = [(outer, key) for key in range(3)]
    assert load_all(loads) == [0, 10, 20]
    assert running.most == 1
    assert group.limit._free == 1


@kinds
def test_a_load_through_a_loader_outside_of_the_group_does_not_hang(running, kind):
    group = Group(max_in_flight=1)
    innermost = coroutine(running, group=group)
    between = asking(blocking, innermost, Running())
    outer = asking(kind, between, running, group=group)
    assert synchronously([(outer, 1)]) == [10]
    assert running.most == 1


@ways
def test_limits_of_a_loader_and_of_its_group_do_not_block_each_other(running, load_all):
    group = Group(max_in_flight=2)
    settings = {"group": group, "max_in_flight": 1, "max_batch_size": 1}
    loaders = [kind(running, **settings) for kind in (blocking, coroutine, blocking)]
    loads = [(loader, key) for key in range(4) for loader in loaders]
    assert load_all(loads) == [10 * key for _, key in loads]
    assert running.most <= 2


def test_groups_limit_only_their_own_loaders():
    meeting = threading.Barrier(2)

    def function(keys):
        meeting.wait(SECONDS)
        return keys

    groups = [Group(max_in_flight=1), Group(max_in_flight=1)]
    loaders = [Loader(function, blocking=True, group=group) for group in groups]
    assert synchronously([(loader, 1) for loader in loaders]) == [1, 1]


def test_a_group_without_a_limit_lets_tasks_overlap(running):
    @asynq.asynq()
    def function(keys):
        with running:
            yield tick.asynq(1)
        return keys

    group = Group()
    loaders = [Loader(function, group=group) for _ in range(3)]
    assert synchronously([(loader, 1) for loader in loaders]) == [1] * 3
    assert running.most == 3


@pytest.mark.parametrize("kind", [plain, task])
def test_a_function_that_fails_gives_its_permit_back(kind):
    class Failing(Running):
        def __exit__(self, *exception):
            raise ValueError("no")

    group = Group(max_in_flight=1)
    loader = kind(Failing(), group=group)
    with pytest.raises(asynq.LoadError, match="ValueError: no"):
        loader(1)
    assert group.limit._free == 1


def test_a_plain_function_runs_under_the_contexts_of_its_flush():
    active = []

    class Context(asynq.AsyncContext):
        def resume(self):
            active.append(self)

        def pause(self):
            active.remove(self)

    seen = []
    group = Group(max_in_flight=1)
    loaders = [
        Loader(lambda keys: seen.append(len(active)) or keys, group=group),
        coroutine(Running(), group=group),
    ]

    @asynq.asynq()
    def load():
        with Context():
            yield [loader.asynq(1) for loader in loaders]

    @asynq.asynq()
    def both():
        yield [load.asynq(), load.asynq()]

    both()
    assert seen == [0]


def test_loaders_of_a_store_have_a_group(tmp_path):
    connection = sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("INSERT INTO user VALUES (1, 'ann')")
    connection.close()
    database = Sqlite(tmp_path / "test.sqlite")
    group = Group(max_in_flight=1)
    user = database.row_by("user", "id", columns="name", row=str, group=group)
    names = database.rows_by("user", "id", columns="name", row=str, group=group)
    with group.scope():
        assert synchronously([(user, 1), (names, 1)]) == ["ann", ["ann"]]
        assert [user(1), names(1)] == ["ann", ["ann"]]
    assert user.stats.batches == names.stats.batches == 1
    database.close()


@pytest.mark.filterwarnings("ignore:.* is called synchronously on a running")
def test_a_call_on_an_event_loop_that_waits_for_coroutines_of_that_loop_ends(running):
    # Which holds the permit that the innermost of the three loaders needs.
    group = Group(max_in_flight=1)
    innermost = coroutine(running, group=group)
    between = asking(coroutine, innermost, running)
    outer = asking(blocking, between, running)

    async def main():
        holder = asyncio.ensure_future(innermost.asyncio(1))
        while group.limit._free:
            await asyncio.sleep(0)
        return outer(2), await holder

    assert asyncio.run(asyncio.wait_for(main(), SECONDS)) == (20, 10)
