"""Loaders: the keys of their batches."""

from __future__ import annotations

import pytest
from negating import each, recording

import asynq
from asynq import BatchBase, BatchItemBase, ConstFuture, LoadError
from asynq.loaders import Loader


def test_keys_of_one_round_are_one_batch_in_the_order_first_asked_for():
    loader, batches = recording()
    assert each(loader, [3, 1, 2]) == [-3, -1, -2]
    assert batches == [[3, 1, 2]]


def test_equal_keys_are_asked_for_once():
    loader, batches = recording()
    assert each(loader, [1, 2, 1, 1]) == [-1, -2, -1, -1]
    assert batches == [[1, 2]]


def test_equal_keys_get_one_future():
    loader, _ = recording()
    assert loader.asynq(1) is loader.asynq(1)


def test_a_value_is_not_kept_for_the_next_round():
    loader, batches = recording()
    assert [loader(1), loader(1)] == [-1, -1]
    assert batches == [[1], [1]]


def test_tasks_of_uneven_depth_share_a_batch():
    loader, batches = recording()

    @asynq.asynq()
    def after(rounds, key):
        for _ in range(rounds):
            yield ConstFuture(None)
        return (yield loader.asynq(key))

    @asynq.asynq()
    def all_of_them():
        return (yield [after.asynq(rounds, rounds) for rounds in range(10)])

    all_of_them()
    assert batches == [list(range(10))]


def test_a_batch_has_no_more_keys_than_allowed():
    loader, batches = recording(max_batch_size=2)
    assert each(loader, range(5)) == [0, -1, -2, -3, -4]
    assert batches == [[0, 1], [2, 3], [4]]


def test_the_batch_of_higher_priority_goes_first():
    batches = []
    low = Loader(lambda keys: batches.append("low") or keys)
    high = Loader(lambda keys: batches.append("high") or keys, priority=1)

    @asynq.asynq()
    def both():
        return (yield low.asynq(1), high.asynq(2))

    assert both() == (1, 2)
    assert batches == ["high", "low"]


def test_loaders_and_batches_by_hand_take_part_in_the_same_rounds():
    log = []
    loader = Loader(lambda keys: log.append("loader") or keys)

    class Batch(BatchBase):
        def _try_switch_active_batch(self):
            pass

        def _flush(self):
            log.append("batch")
            for item in self.items:
                item.set_value("item")

    @asynq.asynq()
    def both():
        return (yield loader.asynq(1), BatchItemBase(Batch()))

    assert both() == (1, "item")
    assert log == ["loader", "batch"]


def test_a_load_can_be_computed_without_a_task():
    loader, batches = recording()
    first, second = loader.asynq(1), loader.asynq(2)
    assert first.value() == -1
    assert second.is_computed()
    assert batches == [[1, 2]]


def test_a_loader_of_an_async_function_joins_later_rounds():
    log = []
    inner = Loader(lambda keys: log.append(list(keys)) or [key * 10 for key in keys])

    @asynq.loader
    @asynq.asynq()
    def outer(keys):
        log.append(("outer", list(keys)))
        return (yield [inner.asynq(key) for key in keys])

    @asynq.asynq()
    def both():
        return (yield outer.asynq(1), inner.asynq(2), outer.asynq(3))

    assert both() == (10, 20, 30)
    assert log == [("outer", [1, 3]), [2, 1, 3]]


def test_a_loader_of_a_proxy_is_one_of_an_async_function():
    inner, batches = recording()

    @asynq.loader
    @asynq.async_proxy()
    def outer(keys):
        return inner.load_many.asynq(keys)

    assert outer(7) == -7
    assert batches == [[7]]


def test_load_many_gives_the_values_in_the_order_of_the_keys():
    loader, batches = recording()
    assert loader.load_many(iter([2, 1, 2])) == [-2, -1, -2]
    assert batches == [[2, 1]]


def test_a_loader_is_an_async_function_to_the_tools():
    loader, batches = recording()
    assert asynq.is_async_fn(loader)
    assert not asynq.is_pure_async_fn(loader)
    assert asynq.tools.amap(loader, [1, 2]) == [-1, -2]
    assert asynq.async_call(loader, 3) == -3
    assert batches == [[1, 2], [3]]


def test_each_instance_has_a_loader_of_its_own():
    class Store:
        def __init__(self, name):
            self.name = name

        @asynq.loader
        def row(self, keys):
            """The row of a key."""
            return {key: (self.name, key) for key in keys}

    a, b = Store("a"), Store("b")
    assert (a.row(1), b.row(1)) == (("a", 1), ("b", 1))
    assert a.row is a.row
    assert a.row is not b.row
    assert Store.row.__doc__ == "The row of a key."


def test_a_method_that_is_an_async_function_can_be_a_loader():
    class Store:
        factor = 2

        @asynq.loader
        @asynq.asynq()
        def product(self, keys):
            yield None
            return [self.factor * key for key in keys]

    assert Store().product(4) == 8


def test_the_loader_of_an_instance_is_of_the_same_class():
    class Named(Loader):
        def title(self, key):
            return f"{self.name} {key}"

    class Tenant:
        user = Named(lambda self, ids: ids, name="user")

    assert Tenant().user.title(1) == "user 1"


def test_instances_do_not_share_a_cache():
    class Tenant:
        @asynq.loader(cache={})
        def user(self, ids):
            return ids

    with pytest.raises(TypeError, match="use cache=True"):
        Tenant().user(1)


def test_a_load_inside_a_flush_joins_the_next_batch():
    batches = []

    def function(keys):
        batches.append(list(keys))
        if keys == [1]:
            return {1: loader(2)}
        return {key: -key for key in keys}

    loader = Loader(function)
    assert loader(1) == -2
    assert batches == [[1], [2]]


def test_a_flush_that_waits_for_its_own_key_is_a_deadlock():
    loader = Loader(lambda keys: [loader(key) for key in keys], name="circle")
    with pytest.raises(LoadError, match="circle, key 1"):
        loader(1)
    assert recording()[0](2) == -2


def test_a_batch_is_not_initialized_again():
    loader, batches = recording()
    load = loader.asynq(1)
    with pytest.raises(RuntimeError, match="initialized already"):
        load.batch.__init__(loader, None)
    assert (load.value(), batches) == (-1, [[1]])
