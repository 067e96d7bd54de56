"""Greenlets of one thread that switch in the middle of calls."""

import contextvars

from conftest import Logged, Source
from pausing import Pausing, loaded, look_up, look_up_all, pausing_source

import asynq


@loaded
def test_forty_greenlets_switch_in_their_flushes():
    greenlets = Pausing()

    def work(n):
        source = pausing_source(greenlets)
        return look_up_all(source, [n, n + 1, n]), source.flushed

    calls = greenlets.run(*[lambda n=n: work(n) for n in range(40)])
    assert calls == [([2 * n, 2 * n + 2, 2 * n], [[n, n + 1, n]]) for n in range(40)]


@loaded
def test_greenlets_switch_in_the_bodies_of_tasks():
    greenlets = Pausing()

    @asynq.asynq()
    def body(n):
        greenlets.pause()
        value = yield asynq.ConstFuture(n)
        greenlets.pause()
        return value

    @asynq.asynq()
    def main(n):
        return (yield [body.asynq(n), body.asynq(n + 1)])

    assert greenlets.run(*[lambda n=n: main(n) for n in range(6)]) == [[n, n + 1] for n in range(6)]


@loaded
def test_greenlets_switch_in_contexts():
    greenlets = Pausing()
    logs = [[], [], []]

    class PausingContext(Logged):
        def resume(self):
            greenlets.pause()
            super().resume()

        def pause(self):
            greenlets.pause()
            super().pause()

    @asynq.asynq()
    def inside(source, log, key):
        with PausingContext(key, log):
            return (yield source.item(key))

    @asynq.asynq()
    def main(log):
        source = pausing_source(greenlets)
        return (yield [inside.asynq(source, log, key) for key in (1, 2)])

    assert greenlets.run(*[lambda log=log: main(log) for log in logs]) == [[2, 4]] * 3
    assert logs == [["+1", "-1", "+2", "-2", "+1", "-1", "+2", "-2"]] * 3


@loaded
def test_greenlets_switch_in_the_comparison_of_keys():
    greenlets = Pausing()

    class Key:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return 1

        def __eq__(self, other):
            greenlets.pause()
            return self.n == other.n

    @asynq.loader
    def double(keys):
        return [2 * key.n for key in keys]

    @asynq.asynq()
    def main(n):
        return (yield [double.asynq(Key(n)), double.asynq(Key(n + 1)), double.asynq(Key(n))])

    values = greenlets.run(*[lambda n=n: main(n) for n in range(4)])
    assert values == [[2 * n, 2 * n + 2, 2 * n] for n in range(4)]


@loaded
def test_greenlets_switch_in_nested_synchronous_calls():
    greenlets = Pausing()

    @asynq.asynq()
    def outer(source, n):
        value = look_up(source, n)
        greenlets.pause()
        return value + (yield source.item(n))

    def work(n):
        return outer(pausing_source(greenlets), n)

    assert greenlets.run(*[lambda n=n: work(n) for n in range(5)]) == [4 * n for n in range(5)]


@loaded
def test_context_variables_belong_to_the_greenlet():
    greenlets = Pausing()
    variable = contextvars.ContextVar("variable", default=0)

    @asynq.asynq()
    def main(n):
        variable.set(n)
        greenlets.pause()
        yield None
        return variable.get()

    assert greenlets.run(lambda: main(1), lambda: main(2)) == [1, 2]


@loaded
def test_destructors_may_switch():
    greenlets = Pausing()

    class Switches:
        def __del__(self):
            greenlets.pause()

    @asynq.asynq()
    def holds(_, n):
        yield None
        return n

    @asynq.asynq()
    def main(n):
        return (yield [holds.asynq(Switches(), n + step) for step in range(3)])

    values = greenlets.run(*[lambda n=n: main(n) for n in range(4)])
    assert values == [[n, n + 1, n + 2] for n in range(4)]


@loaded
def test_nested_calls_are_counted_in_each_greenlet():
    greenlets = Pausing()

    def work():
        item = Source().item(1)
        item.on_computed.subscribe(lambda item: greenlets.pause())
        item.batch.cancel()  # All greenlets are in here at the same time.
        return type(item.error())

    assert greenlets.run(*[work] * 600) == [asynq.BatchCancelledError] * 600


@loaded
def test_an_endless_recursion_in_a_greenlet_is_an_error_there():
    greenlets = Pausing()

    def endless():
        source = Source(answer=lambda item: item.set_value(look_up(source, 1)))
        try:
            look_up(source, 1)
        except RecursionError:
            return "endless"

    def work():
        return look_up_all(Source(), [1, 2])

    assert greenlets.run(endless, work) == ["endless", [2, 4]]
