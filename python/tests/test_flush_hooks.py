"""`on_before_batch_flush` and `on_after_batch_flush`: handlers that load, too."""

import contextlib

import pytest

import asynq
from asynq import get_scheduler


@contextlib.contextmanager
def before_the_first_flush(action):
    """Calls `action()` before the first flush in the block."""
    left = [action]

    def handler(batch):
        if left:
            left.pop()()

    hook = get_scheduler().on_before_batch_flush
    hook.subscribe(handler)
    try:
        yield
    finally:
        hook.unsubscribe(handler)


@pytest.fixture
def sent():
    return []


@pytest.fixture(params=["plain", "blocking", "coroutine"])
def loader(request, sent):
    def answer(keys):
        sent.append(list(keys))
        return [10 * key for key in keys]

    async def answer_later(keys):
        return answer(keys)

    if request.param == "coroutine":
        return asynq.loader(answer_later)
    return asynq.loader(blocking=request.param == "blocking")(answer)


@asynq.asynq()
def tens(loader, *keys):
    return (yield [loader.asynq(key) for key in keys])


def test_a_handler_loads_with_the_loader_that_is_about_to_be_flushed(loader):
    seen = []
    with before_the_first_flush(lambda: seen.append(tens(loader, 3, 4))):
        assert tens(loader, 1, 2) == [10, 20]
    assert seen == [[30, 40]]


def test_keys_of_a_handler_leave_with_those_that_are_about_to_be_flushed(loader, sent):
    with before_the_first_flush(lambda: tens(loader, 3, 4)):
        tens(loader, 1, 2)
    assert sent == [[1, 2, 3, 4]]


def test_a_load_that_a_handler_does_not_wait_for_leaves_with_the_others(loader, sent):
    loads = []
    with before_the_first_flush(lambda: loads.append(loader.asynq(3))):
        tens(loader, 1, 2)
    assert loads[0].value() == 30
    assert sent == [[1, 2, 3]]


def test_a_key_that_is_about_to_be_flushed_can_be_waited_for_in_a_handler(loader, sent):
    seen = []
    with before_the_first_flush(lambda: seen.append(loader(1))):
        assert tens(loader, 1, 2) == [10, 20]
    assert seen == [10]
    assert sent == [[1, 2]]


def test_an_item_that_a_handler_adds_is_flushed_with_the_batch(source):
    @asynq.asynq()
    def look_up(key):
        return (yield source.item(key))

    with before_the_first_flush(lambda: source.item(2)):
        assert look_up(1) == 2
    assert source.flushed == [[1, 2]]


def test_a_batch_that_a_handler_flushes_is_not_flushed_again(source):
    @asynq.asynq()
    def look_up(key):
        return (yield source.item(key))

    with before_the_first_flush(lambda: source.open.flush()):
        assert look_up(1) == 2
    assert source.flushed == [[1]]


def test_a_batch_that_a_handler_cancels_fails_its_items(source):
    @asynq.asynq()
    def look_up(key):
        return (yield source.item(key))

    class Cancelled(Exception):
        pass

    with before_the_first_flush(lambda: source.open.cancel(Cancelled())), pytest.raises(Cancelled):
        look_up(1)
    assert look_up(2) == 4
