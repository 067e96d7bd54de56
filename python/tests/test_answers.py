"""`record_answers` and `replay_answers`: a test runs without its sources."""

import asyncio
import datetime
import json

import pytest
from conftest import Source

import asynq
from asynq.testing import NotRecordedError, record_answers, replay_answers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.jsonl"


@pytest.fixture
def store():
    """A store, which counts the calls that it answers."""
    calls = []

    @asynq.loader
    def user(ids):
        calls.append(list(ids))
        return {id: f"user {id}" for id in ids}

    user.calls = calls
    return user


def test_a_replay_answers_without_the_store(store, path):
    with record_answers(path):
        store(1)
    with replay_answers(path):
        assert store(1) == "user 1"
    assert store.calls == [[1]]


def test_a_replay_makes_the_same_rounds(store, path):
    @asynq.asynq()
    def page(ids):
        names = yield [store.asynq(id) for id in ids]
        return (yield [store.asynq(len(name)) for name in names])

    with record_answers(path), asynq.explain() as recorded:
        page([1, 20])
    with replay_answers(path), asynq.explain() as replayed:
        page([1, 20])
    assert [one[:4] for one in replayed.requests] == [one[:4] for one in recorded.requests]


def test_a_key_that_was_not_recorded_fails_by_its_name(store, path):
    with record_answers(path):
        store(1)
    with (
        replay_answers(path),
        pytest.raises(NotRecordedError, match="user for the key 2") as failed,
    ):
        store(2)
    assert (failed.value.path, failed.value.key) == (str(path), "2")


def test_the_other_keys_of_a_batch_have_their_answers(store, path):
    with record_answers(path):
        store(1)
    with replay_answers(path):
        first, second = store.load_many([1, 2], return_exceptions=True)
    assert first == "user 1"
    assert "key 2" in str(second)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, 1.5, "text", [1, [2]], {"a": {"b": None}}),
        *((1, 2), {1: 2}, b"bytes", {3}, datetime.date(2026, 11, 30)),
    ],
)
def test_values_come_back_as_they_were(value, path):
    loader = asynq.Loader(lambda keys: [value for _ in keys], name="values")
    with record_answers(path):
        loader(1)
    with replay_answers(path):
        found = loader(1)
    assert (found, type(found)) == (value, type(value))


def test_errors_of_keys_come_back(path):
    loader = asynq.Loader(lambda keys: [KeyError(key) for key in keys], name="failing")
    with record_answers(path), pytest.raises(KeyError):
        loader(1)
    with replay_answers(path), pytest.raises(KeyError):
        loader(1)


def test_batches_of_the_user_are_recorded_and_replayed(path):
    source = Source()

    @asynq.asynq()
    def doubled(key):
        return (yield source.item(key))

    with record_answers(path):
        doubled(2)
    with replay_answers(path):
        assert doubled(2) == 4
    assert source.flushed == [[2]]


def test_an_item_that_was_not_recorded_fails_by_its_key(path):
    source = Source()

    @asynq.asynq()
    def doubled(key):
        return (yield source.item(key))

    with record_answers(path):
        doubled(2)
    with replay_answers(path), pytest.raises(NotRecordedError, match="Batch for the key 3"):
        doubled(3)


@pytest.mark.parametrize("is_blocking", [False, True])
def test_loaders_of_coroutines_and_threads_are_replayed(path, is_blocking):
    if is_blocking:

        @asynq.loader(blocking=True)
        def double(keys):
            return [2 * key for key in keys]

    else:

        @asynq.loader
        async def double(keys):
            return [2 * key for key in keys]

    with record_answers(path):
        double(1)
    with replay_answers(path):
        assert double(1) == 2
        with pytest.raises(NotRecordedError, match="key 2"):
            double(2)


def test_loaders_on_an_event_loop_are_replayed(store, path):
    async def main():
        return await asyncio.gather(store.asyncio(1), store.asyncio(2))

    with record_answers(path):
        asyncio.run(main())
    with replay_answers(path):
        assert asyncio.run(main()) == ["user 1", "user 2"]
    assert store.calls == [[1, 2]]


def test_the_file_is_readable(store, path):
    with record_answers(path):
        store(1)
    header, answer = map(json.loads, path.read_text().splitlines())
    assert header == {"answers": {"version": 1}}
    assert answer == {"answer": {"source": store.name, "key": "1", "value": "user 1"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no recorded answers"), ('{"answers": {"version": 9}}\n', "later version")],
)
def test_a_file_that_cannot_be_replayed_is_refused(path, text, message):
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        replay_answers(path)


def test_after_the_block_the_store_is_asked_again(store, path):
    with record_answers(path):
        store(1)
    with replay_answers(path):
        store(1)
    store(1)
    assert store.calls == [[1], [1]]
