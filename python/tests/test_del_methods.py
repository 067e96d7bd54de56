"""Methods `__del__` may fail or run tasks, wherever an object dies."""

import gc
import sys

from asynq import FutureBase, asynq


@asynq()
def look_up(source, key):
    return (yield source.item(key))


def test_an_error_in_a_del_method_does_not_disturb_anything(monkeypatch, source):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: unraisable.append(it.exc_value))

    class Explosive:
        def __del__(self):
            raise KeyError("in __del__")

    @asynq()
    def child(explosive):
        return (yield source.item(1))

    @asynq()
    def main():
        return (yield [child.asynq(Explosive()) for _ in range(3)])

    assert main() == [2, 2, 2]
    assert [str(error) for error in unraisable] == ["'in __del__'"] * 3


def test_a_del_method_may_run_tasks(source):
    values = []

    class Talkative:
        def __del__(self):
            values.append(look_up(source, 21))

    @asynq()
    def child(talkative):
        return (yield source.item(1))

    @asynq()
    def main():
        return (yield [child.asynq(Talkative()) for _ in range(3)])

    assert main() == [2, 2, 2]
    assert values == [42, 42, 42]


def test_a_value_whose_del_method_runs_tasks_may_be_dropped_by_a_future(source):
    values = []

    class Talkative:
        def __del__(self):
            values.append(look_up(source, 21))

    future = FutureBase()
    future.set_value(Talkative())
    future.reset_unsafe()
    assert values == [42]


def test_del_methods_may_run_tasks_wherever_the_collector_comes_by(source, new_source):
    values = []

    class Talkative:
        def __init__(self):
            self.itself = self

        def __del__(self):
            values.append(look_up(new_source("of its own"), 21))

    @asynq()
    def child(key):
        Talkative()
        value = yield source.item(key), look_up.asynq(source, key)
        Talkative()
        return value

    @asynq()
    def main():
        return (yield [child.asynq(key) for key in range(20)])

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        assert main() == [(2 * key, 2 * key) for key in range(20)]
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert values == [42] * 40
