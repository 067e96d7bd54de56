"""`asynq.tools` without the caches."""

import inspect
import pickle
import time

import pytest

from asynq import AsyncContext, async_proxy, asynq, get_scheduler, loader
from asynq.batching import BatchBase, BatchItemBase, DebugBatchItem
from asynq.tools import (
    AsyncEventHook,
    AsyncTimer,
    afilter,
    afilterfalse,
    amap,
    amax,
    amin,
    aretry,
    asift,
    asorted,
    call_with_context,
)


@asynq()
def negative(x):
    return (yield DebugBatchItem(result=-x))


@asynq()
def is_even(x):
    return (yield DebugBatchItem(result=x % 2 == 0))


@asynq()
def alen(x):
    return (yield DebugBatchItem(result=len(x)))


@asynq()
def fail(x):
    yield None
    raise KeyError(x)


@pytest.fixture
def flushes():
    """Returns the sizes of the batches that are flushed during the test."""
    sizes = []

    def count(batch):
        sizes.append(len(batch.items))

    get_scheduler().on_before_batch_flush.subscribe(count)
    yield sizes
    get_scheduler().on_before_batch_flush.unsubscribe(count)


def generate(*elements):
    yield from elements


# Relatives of built-in functions


def test_amap_is_a_list():
    assert amap(negative, [1, 2]) == amap.asynq(negative, [1, 2]).value() == [-1, -2]


def test_afilter_keeps_what_is_true():
    assert afilter(is_even, [1, 2, 3, 4]) == [2, 4]


def test_afilter_without_a_function_keeps_what_is_true_itself():
    assert afilter(None, [0, 1, "", "a"]) == [1, "a"]


def test_afilterfalse_keeps_what_is_false():
    assert afilterfalse(is_even, [1, 2, 3, 4]) == [1, 3]


def test_asift_parts_what_is_true_and_what_is_false():
    assert asift(is_even, [1, 2, 3, 4]) == ([2, 4], [1, 3])


def test_verdicts_need_not_be_booleans():
    assert afilter(alen, ["", "a"]) == ["a"]
    assert afilterfalse(alen, ["", "a"]) == [""]
    assert asift(alen, ["", "a"]) == (["a"], [""])


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (lambda xs: amap(negative, xs), [-2, -1]),
        (lambda xs: afilter(is_even, xs), [2]),
        (lambda xs: afilter(None, xs), [2, 1]),
        (lambda xs: afilterfalse(is_even, xs), [1]),
        (lambda xs: asift(is_even, xs), ([2], [1])),
        (lambda xs: asorted(xs, key=negative), [2, 1]),
        (lambda xs: amax(xs, key=negative), 1),
        (lambda xs: amin(xs, key=negative), 2),
        (lambda xs: amax(xs), 2),
    ],
)
def test_tools_take_generators(tool, expected):
    assert tool(generate(2, 1)) == expected


@pytest.mark.parametrize(
    "tool",
    [
        lambda xs: amap(negative, xs),
        lambda xs: afilter(is_even, xs),
        lambda xs: afilterfalse(is_even, xs),
        lambda xs: asift(is_even, xs),
        lambda xs: asorted(xs, key=negative),
        lambda xs: amax(xs, key=negative),
        lambda xs: amin(xs, key=negative),
    ],
)
def test_tools_ask_for_all_elements_at_once(tool, flushes):
    tool([1, 2, 3])
    assert flushes == [3]


@pytest.mark.parametrize(
    "tool",
    [
        lambda xs: amap(negative, xs),
        lambda xs: afilter(is_even, xs),
        lambda xs: afilterfalse(is_even, xs),
        lambda xs: asorted(xs, key=negative),
    ],
)
def test_nothing_gives_an_empty_list(tool):
    assert tool([]) == []


@pytest.mark.parametrize("tool", [amap, afilter, afilterfalse, asift])
def test_an_error_of_the_function_is_raised(tool):
    with pytest.raises(KeyError):
        tool(fail, [1, 2])


def test_asorted_without_a_key_compares_the_elements():
    assert asorted([2, 3, 1]) == [1, 2, 3]


def test_asorted_with_a_key_compares_the_keys():
    assert asorted([2, 3, 1], key=negative) == [3, 2, 1]


@pytest.mark.parametrize("reverse", [False, True])
def test_asorted_keeps_the_order_of_equal_keys(reverse):
    words = ["bb", "a", "aa", "b"]
    assert asorted(words, key=alen, reverse=reverse) == sorted(words, key=len, reverse=reverse)


def test_asorted_does_not_compare_elements_with_equal_keys():
    elements = [{"a": 1}, {"b": 2}]
    assert asorted(elements, key=alen) == elements


@pytest.mark.parametrize(("tool", "expected"), [(amax, "ccc"), (amin, "a")])
def test_the_extreme_of_an_iterable_or_of_arguments(tool, expected):
    assert tool(["bb", "a", "ccc"], key=alen) == expected
    assert tool("bb", "a", "ccc", key=alen) == expected
    assert tool({"bb", "a", "ccc"}, key=alen) == expected


@pytest.mark.parametrize(("tool", "expected"), [(amax, 3), (amin, 1)])
def test_the_extreme_without_a_key(tool, expected):
    assert tool([2, 3, 1]) == tool(2, 3, 1) == tool([2, 3, 1], key=None) == expected


@pytest.mark.parametrize("tool", [amax, amin])
def test_the_first_of_equal_extremes_is_chosen(tool):
    assert tool(["b", "a"], key=alen) == "b"


@pytest.mark.parametrize("tool", [amax, amin])
def test_the_elements_with_extreme_keys_are_not_compared(tool):
    assert tool([{"a": 1}, {"b": 2}], key=alen) == {"a": 1}


@pytest.mark.parametrize("tool", [amax, amin])
@pytest.mark.parametrize("keywords", [{}, {"key": alen}])
def test_the_extreme_of_nothing_is_a_value_error(tool, keywords):
    with pytest.raises(ValueError, match="empty"):
        tool([], **keywords)


@pytest.mark.parametrize("tool", [amax, amin])
def test_the_extreme_of_no_argument_is_a_type_error(tool):
    with pytest.raises(TypeError, match="expected 1 arguments, got 0"):
        tool(key=alen)


@pytest.mark.parametrize("tool", [amax, amin])
def test_the_extreme_with_an_unknown_keyword_is_a_type_error(tool):
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        tool([1], key=alen, cmp=None)


# call_with_context


class Recorder(AsyncContext):
    def __init__(self):
        self.active = False

    def resume(self):
        self.active = True

    def pause(self):
        self.active = False


def test_only_the_called_function_is_in_the_context():
    context = Recorder()

    @asynq()
    def look(*args, **kwargs):
        before = context.active
        yield DebugBatchItem()
        return before, context.active, args, kwargs

    @asynq()
    def both():
        return (
            yield (
                look.asynq(),
                call_with_context.asynq(context, look, 1, a=2),
                look.asynq(),
            )
        )

    off = (False, False, (), {})
    assert both() == (off, (True, True, (1,), {"a": 2}), off)
    assert not context.active


def test_the_context_ends_with_an_error():
    context = Recorder()
    with pytest.raises(KeyError):
        call_with_context(context, fail, 1)
    assert not context.active


# aretry


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


# AsyncTimer


@pytest.fixture
def clock(monkeypatch):
    """A stopped clock: `clock.now` is the time in microseconds."""

    class Clock:
        now = 1_000_000

    monkeypatch.setattr("asynq.tools.utime", lambda: Clock.now)
    return Clock


def test_a_timer_measures_its_block_in_microseconds(clock):
    with AsyncTimer() as timer:
        clock.now += 5
    clock.now += 100
    assert timer.total_time == 5


def test_a_timer_that_is_not_entered_has_measured_nothing():
    assert AsyncTimer().total_time == 0


def test_a_timer_entered_again_adds_up(clock):
    timer = AsyncTimer()
    for _ in range(3):
        with timer:
            clock.now += 5
    assert timer.total_time == 15


def test_a_timer_does_not_count_what_other_tasks_do(clock):
    @asynq()
    def timed():
        with AsyncTimer() as timer:
            clock.now += 1
            yield DebugBatchItem()
            clock.now += 10
        return timer.total_time

    @asynq()
    def slow():
        clock.now += 1000
        yield DebugBatchItem()
        clock.now += 1000

    @asynq()
    def all_of_them():
        return (yield timed.asynq(), slow.asynq(), timed.asynq())

    assert all_of_them() == (11, None, 11)


def test_a_timer_counts_what_the_block_waits_for(clock):
    @asynq()
    def inner():
        clock.now += 1
        yield DebugBatchItem()
        clock.now += 10

    @asynq()
    def outer():
        with AsyncTimer() as timer:
            yield inner.asynq(), inner.asynq()
        return timer.total_time

    assert outer() == 22


def test_a_timer_does_not_count_flushes(clock):
    class SlowBatch(BatchBase):
        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            clock.now += 1000
            for item in self.items:
                item.set_value(None)

    @asynq()
    def fn():
        with AsyncTimer() as timer:
            yield BatchItemBase(SlowBatch())
            clock.now += 1
        return timer.total_time

    assert fn() == 1


def test_a_timer_measures_real_time():
    with AsyncTimer() as timer:
        time.sleep(0.002)
    assert timer.total_time >= 2000


# AsyncEventHook


def test_asynchronous_and_plain_handlers_are_called():
    seen = []

    @asynq()
    def handler(*args):
        seen.append(("asynq", (yield negative.asynq(args[0]))))

    hook = AsyncEventHook([handler])
    hook.subscribe(lambda *args: seen.append(("plain", args)))
    hook.trigger(1, 2)
    assert sorted(seen) == [("asynq", -1), ("plain", (1, 2))]


def test_handlers_share_batches(flushes):
    hook = AsyncEventHook([negative] * 3)
    hook.trigger(1)
    hook.safe_trigger(1)
    assert flushes == [3, 3]


def test_the_event_can_be_triggered_asynchronously():
    seen = []

    @asynq()
    def handler(x):
        seen.append((yield negative.asynq(x)))

    @asynq()
    def fn():
        hook = AsyncEventHook([handler])
        yield hook.trigger.asynq(1), hook.safe_trigger.asynq(2)

    fn()
    assert sorted(seen) == [-2, -1]


def test_an_event_that_is_called_is_triggered():
    seen = []
    AsyncEventHook([seen.append])(1)
    assert seen == [1]


def test_an_event_without_handlers_does_nothing():
    assert AsyncEventHook().trigger(1) is None
    assert AsyncEventHook().safe_trigger(1) is None


def test_handlers_can_be_unsubscribed():
    seen = []
    hook = AsyncEventHook([seen.append])
    assert seen.append in hook
    hook.unsubscribe(seen.append)
    hook.trigger(1)
    assert seen == []


def test_a_plain_handler_that_fails_stops_trigger():
    seen = []

    def broken(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        AsyncEventHook([broken, seen.append]).trigger(1)
    assert seen == []


@pytest.mark.parametrize("order", [1, -1])
def test_safe_trigger_calls_the_others_if_one_fails(order):
    seen = []
    with pytest.raises(KeyError):
        AsyncEventHook([seen.append, fail, seen.append][::order]).safe_trigger(1)
    assert seen == [1, 1]


def test_safe_trigger_raises_the_first_error_in_the_order_of_the_handlers():
    @asynq()
    def slow(x):
        yield DebugBatchItem()
        raise ValueError(x)

    with pytest.raises(ValueError, match="1"):
        AsyncEventHook([slow, fail]).safe_trigger(1)


def test_safe_trigger_passes_on_errors_that_are_no_exceptions():
    def interrupt(x):
        raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        AsyncEventHook([interrupt, seen.append]).safe_trigger(1)
    assert seen == [1]


def test_a_proxy_can_be_a_handler():
    seen = []

    @async_proxy()
    def handler(x):
        seen.append(x)
        return negative.asynq(x)

    AsyncEventHook([handler]).trigger(1)
    assert seen == [1]
