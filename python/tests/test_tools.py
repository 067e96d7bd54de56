"""`asynq.tools`: relatives of built-in functions, and `call_with_context`."""

import pytest

from asynq import AsyncContext, asynq
from asynq.batching import DebugBatchItem
from asynq.tools import (
    afilter,
    afilterfalse,
    amap,
    amax,
    amin,
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
