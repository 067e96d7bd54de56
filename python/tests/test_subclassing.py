"""Subclasses of futures and tasks."""

import gc
import weakref
from typing import Generic, TypeVar

import pytest

from asynq import (
    AsyncContext,
    AsyncTask,
    BatchBase,
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    NonAsyncContext,
    asynq,
)

T = TypeVar("T")


# Futures.


@pytest.mark.parametrize("base", [FutureBase, ConstFuture, ErrorFuture, Future])
def test_a_subclass_of_a_future_has_attributes_of_its_own(base):
    class Named(base):
        def __init__(self, name, *args):
            super().__init__(*args)
            self.name = name

    args = {FutureBase: (), ErrorFuture: (KeyError(),), Future: (int,)}.get(base, (42,))
    assert Named("n", *args).name == "n"


def test_a_future_may_override_computed(log):
    class Told(FutureBase):
        def _computed(self):
            log.append(self.value())
            super()._computed()

    future = Told()
    future.set_value(42)
    assert log == [42]


@pytest.mark.parametrize("calls_super", [True, False])
def test_whoever_waits_goes_on_whatever_an_overridden_computed_does(source, calls_super):
    class Told(FutureBase):
        def _computed(self):
            if calls_super:
                super()._computed()

    promise = Told()

    @asynq()
    def waits():
        return (yield promise)

    @asynq()
    def fulfils():
        yield source.item(1)
        promise.set_value(42)

    @asynq()
    def main():
        return (yield waits.asynq(), fulfils.asynq())

    assert main() == (42, None)


def test_a_future_may_override_set_value(log):
    class Checked(FutureBase):
        def set_value(self, value):
            log.append(value)
            super().set_value(value)

    Checked().set_value(42)
    assert log == [42]


def test_a_future_may_have_slots():
    class Slim(FutureBase):
        __slots__ = ("name",)

    future = Slim()
    future.name = "n"
    assert future.name == "n"


def test_a_future_may_be_generic():
    class Boxed(FutureBase, Generic[T]):
        pass

    assert Boxed[int]().is_computed() is False


def test_a_subclass_without_init_call_is_still_a_future():
    class Lazy(FutureBase):
        def __init__(self):
            pass

        def _compute(self):
            self.set_value(42)

    @asynq()
    def main():
        return (yield Lazy())

    assert main() == 42


def test_a_method_patched_into_a_class_counts(monkeypatch):
    class Answer(FutureBase):
        pass

    monkeypatch.setattr(Answer, "_compute", lambda self: self.set_value(42), raising=False)

    @asynq()
    def main():
        return (yield Answer())

    assert main() == 42


@pytest.mark.parametrize(
    "base", [FutureBase, ConstFuture, AsyncTask, BatchBase, AsyncContext, NonAsyncContext]
)
def test_a_subclass_can_be_referred_to_weakly(base):
    class Mine(base):
        def __init__(self):
            pass

    mine = Mine()
    reference = weakref.ref(mine)
    assert reference() is mine
    del mine
    gc.collect()
    assert reference() is None


# Tasks.


class NamedTask(AsyncTask):
    def __init__(self, generator, fn, args, kwargs, name="unnamed"):
        super().__init__(generator, fn, args, kwargs)
        self.name = name


def test_cls_says_of_which_class_tasks_are():
    @asynq(cls=NamedTask)
    def main():
        yield None
        return 42

    task = main.asynq()
    assert type(task) is NamedTask
    assert (task.name, task.value()) == ("unnamed", 42)


def test_pure_functions_may_give_their_task_class_arguments():
    @asynq(pure=True, cls=NamedTask, name="named")
    def main():
        yield None
        return 42

    task = main()
    assert (task.name, task.value()) == ("named", 42)


@pytest.mark.filterwarnings("ignore:.* was never yielded or awaited")
def test_a_plain_function_may_have_a_task_class():
    @asynq(cls=NamedTask)
    def main():
        return 42

    assert main.asynq().name == "unnamed"
    assert main() == 42


def test_a_task_of_a_subclass_can_be_awaited(source):
    @asynq(cls=NamedTask)
    def child():
        return (yield source.item(21))

    @asynq()
    def main():
        return (yield child.asynq())

    assert main() == 42


def test_a_task_class_may_override_computed(log):
    class Told(AsyncTask):
        def _computed(self):
            super()._computed()
            log.append(self.value())

    @asynq(cls=Told)
    def child():
        yield None
        return 42

    @asynq()
    def main():
        yield child.asynq()
        log.append("went on")

    main()
    assert log == [42, "went on"]


@pytest.mark.parametrize("base", [AsyncTask, NamedTask])
def test_an_overridden_computed_of_a_task_need_not_call_super(base, source):
    class Silent(base):
        def _computed(self):
            pass

    @asynq(cls=Silent)
    def child():
        return (yield source.item(21))

    @asynq()
    def main():
        return (yield [child.asynq()])

    assert main() == [42]


def test_an_error_in_an_overridden_computed_of_a_task_does_not_keep_others_waiting(source):
    class Failing(AsyncTask):
        def _computed(self):
            raise KeyError("in _computed")

    @asynq(cls=Failing)
    def child():
        return (yield source.item(21))

    task = child.asynq()

    @asynq()
    def main():
        return (yield task)

    with pytest.raises(KeyError, match="in _computed"):
        main()
    assert task.value() == 42


def test_a_task_class_may_override_compute(log):
    class Told(AsyncTask):
        def _compute(self):
            log.append("asked")
            super()._compute()

    @asynq(cls=Told)
    def main():
        yield None
        return 42

    assert main.asynq().value() == 42
    assert log == ["asked"]


def test_an_overridden_compute_is_not_asked_when_the_task_is_awaited(log):
    class Told(AsyncTask):
        def _compute(self):
            log.append("asked")
            super()._compute()

    @asynq(cls=Told)
    def child():
        yield None
        return 42

    @asynq()
    def main():
        return (yield child.asynq())

    assert main() == 42
    assert log == []


def test_a_task_may_be_made_by_hand():
    def generator():
        return (yield ConstFuture(42))

    task = AsyncTask(generator(), generator, (), {})
    assert task.value() == 42


def test_a_task_may_run_what_is_like_a_generator(log):
    class Machine:
        """A generator that yields twice, then returns the values that were sent to it."""

        def __init__(self):
            self.sent = []

        def send(self, value):
            self.sent.append(value)
            if len(self.sent) == 3:
                raise StopIteration(self.sent)
            return ConstFuture(len(self.sent))

        def throw(self, *error):
            raise AssertionError(error)

        def close(self):
            log.append("closed")

    task = AsyncTask(Machine(), Machine, (), {})
    assert task.value() == [None, 1, 2]
