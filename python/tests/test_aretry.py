"""`aretry`: functions that are called again when they fail."""

import inspect
import pickle
import time

import pytest

from asynq import asynq, loader
from asynq.batching import DebugBatchItem
from asynq.tools import (
    aretry,
)


class Flaky:
    """A function that fails a given number of times."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = []

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def retried(self, exception_cls, **options):
        @aretry(exception_cls, **{"sleep": 0, **options})
        @asynq()
        def fn(*args, **kwargs):
            yield None
            return self(*args, **kwargs)

        return fn


def test_a_function_that_does_not_fail_is_called_once():
    flaky = Flaky()
    assert flaky.retried(KeyError)(1, a=2) == "done"
    assert flaky.calls == [((1,), {"a": 2})]


def test_a_function_that_fails_is_called_again_with_the_same_arguments():
    flaky = Flaky(KeyError(), KeyError())
    assert flaky.retried(KeyError).asynq(1, a=2).value() == "done"
    assert flaky.calls == [((1,), {"a": 2})] * 3


def test_the_last_error_is_raised_after_max_tries():
    errors = [KeyError(i) for i in range(5)]
    flaky = Flaky(*errors)
    with pytest.raises(KeyError) as caught:
        flaky.retried(KeyError, max_tries=3)()
    assert caught.value is errors[2]
    assert len(flaky.calls) == 3


def test_ten_tries_are_made_unless_told_otherwise():
    flaky = Flaky(*[KeyError(i) for i in range(20)])
    with pytest.raises(KeyError):
        flaky.retried(KeyError)()
    assert len(flaky.calls) == 10


def test_another_error_is_raised_at_once():
    flaky = Flaky(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011
        flaky.retried(KeyError)()
    assert len(flaky.calls) == 1


def test_one_of_several_errors_is_retried():
    flaky = Flaky(ValueError(), KeyError())
    assert flaky.retried((KeyError, ValueError))() == "done"


@pytest.mark.parametrize("max_tries", [0, -1])
def test_less_than_one_try_is_an_assertion_error(max_tries):
    with pytest.raises(AssertionError, match="should be a positive integer"):
        aretry(KeyError, max_tries=max_tries)


def test_an_error_has_no_other_as_its_context():
    flaky = Flaky(KeyError(1), ValueError(2))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        flaky.retried(KeyError)()
    assert caught.value.__context__ is None


def test_a_retried_method_gets_its_object():
    class Source:
        tries = 0

        @aretry(KeyError, sleep=0)
        @asynq()
        def get(self, key):
            self.tries += 1
            if self.tries < 3:
                raise KeyError
            return self, key

    source = Source()
    assert source.get("k") == (source, "k")
    assert source.tries == 3


def test_a_retried_function_knows_the_original():
    @asynq()
    def fn(x, *, y=1):
        """About fn."""

    retried = aretry(KeyError)(fn)
    assert retried.original_fn is fn
    assert (retried.__name__, retried.__doc__) == ("fn", "About fn.")
    assert inspect.signature(retried.original_fn.fn) == inspect.signature(fn.fn)


@aretry(KeyError)
@asynq()
def retried_for_pickling():
    pass


def test_a_retried_function_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(retried_for_pickling)) is retried_for_pickling


@pytest.fixture
def sleeps(monkeypatch):
    """Replaces sleeping. Returns the seconds that would have been slept."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_it_sleeps_between_tries(sleeps):
    flaky = Flaky(KeyError(), KeyError())
    flaky.retried(KeyError, sleep=0.3)()
    assert sleeps == [0.3, 0.3]


def test_it_sleeps_for_a_twentieth_of_a_second_unless_told_otherwise(sleeps):
    @aretry(KeyError, max_tries=2)
    @asynq()
    def fn():
        raise KeyError

    with pytest.raises(KeyError):
        fn()
    assert sleeps == [0.05]


def test_it_does_not_sleep_after_the_last_try(sleeps):
    flaky = Flaky(KeyError())
    with pytest.raises(KeyError):
        flaky.retried(KeyError, sleep=1, max_tries=1)()
    assert sleeps == []


def test_a_negative_sleep_is_a_value_error():
    with pytest.raises(ValueError, match="non-negative"):
        Flaky(KeyError()).retried(KeyError, sleep=-1)()


def test_others_go_on_while_it_sleeps(sleeps):
    log = []

    @aretry(KeyError)
    @asynq()
    def flaky():
        log.append(("try", list(sleeps)))
        if not sleeps:
            raise KeyError

    @asynq()
    def other():
        for i in range(3):
            yield DebugBatchItem()
            log.append((i, list(sleeps)))

    @asynq()
    def both():
        yield flaky.asynq(), other.asynq()

    both()
    assert log == [("try", []), (0, []), (1, []), (2, []), ("try", [0.05])]


def test_batches_of_any_priority_are_flushed_before_it_sleeps(sleeps):
    slept = []

    @loader(priority=-1)
    def least(keys):
        slept.extend(sleeps)
        return keys

    @asynq()
    def both():
        yield Flaky(KeyError()).retried(KeyError, sleep=0.3).asynq(), least.asynq(1)

    both()
    assert (slept, sleeps) == ([], [0.3])


def test_all_that_wait_to_retry_share_one_sleep(sleeps):
    functions = [Flaky(KeyError()).retried(KeyError, sleep=0.3) for _ in range(5)]

    @asynq()
    def all_of_them():
        return (yield [fn.asynq() for fn in functions])

    assert all_of_them() == ["done"] * 5
    assert sleeps == [0.3]


def test_who_sleeps_longer_goes_on_later(sleeps):
    log = []

    def make(seconds):
        @aretry(KeyError, sleep=seconds)
        @asynq()
        def fn():
            if seconds not in log:
                log.append(seconds)
                raise KeyError
            log.append(("done", seconds, sum(sleeps)))

        return fn

    @asynq()
    def both():
        yield make(0.75).asynq(), make(0.25).asynq()

    both()
    assert log == [0.75, 0.25, ("done", 0.25, 0.25), ("done", 0.75, 0.75)]


def test_requests_of_those_that_retry_together_share_a_batch(sleeps, flushes):
    failed = set()

    @aretry(KeyError)
    @asynq()
    def fn(x):
        value = yield DebugBatchItem(result=x)
        if x not in failed:
            failed.add(x)
            raise KeyError(x)
        return value

    @asynq()
    def all_of_them():
        return (yield [fn.asynq(x) for x in range(4)])

    assert all_of_them() == [0, 1, 2, 3]
    assert flushes == [4, 4, 4]  # The requests, the delays, the requests again.
