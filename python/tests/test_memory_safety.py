"""Hostile programs end in ordinary exceptions, and leave the interpreter and the scheduler usable.

Programs that could end the process run in one of their own.
"""

import copy
import gc
import inspect
import pickle
import subprocess
import sys
import textwrap
import weakref

import pytest
from conftest import Source

import asynq
from asynq import (
    AsyncTask,
    BatchItemBase,
    ConstFuture,
    ErrorFuture,
    Future,
    FutureBase,
    _asynq,
    debug,
    get_active_task,
    get_scheduler,
)
from asynq import _trace as trace
from asynq import asynq as async_function
from asynq.async_task import unwrap


def run(program, *arguments):
    """Runs a program in an interpreter of its own; returns its exit status and what it printed."""
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.strip(), ended.stderr.strip()


def assert_ends_well(program, *arguments, prints="well"):
    assert run(program, *arguments) == (0, prints, "")


@pytest.fixture(autouse=True)
def _no_task_stays_active():
    yield
    assert get_active_task() is None
    assert get_scheduler()._tasks == []
    assert get_scheduler()._batches == []


@pytest.fixture
def no_assertions(monkeypatch):
    monkeypatch.setattr(debug.options, "ENABLE_COMPLEX_ASSERTIONS", False)


@async_function()
def identity(value):
    yield None
    return value


@async_function()
def wait_for(future):
    return (yield future)


def generator():
    yield None
    return "other"


class Reacting:
    """Calls a function when it dies."""

    def __init__(self, function):
        self.function = function

    def __del__(self):
        self.function()


# --- __init__ again


def initialize_again(task):
    task.__init__(generator(), identity, (), {})


def test_a_new_task_cannot_be_initialized_again():
    task = identity.asynq(1)
    with pytest.raises(RuntimeError, match="initialized already"):
        initialize_again(task)
    assert task.value() == 1


def test_an_ended_task_cannot_be_initialized_again():
    task = identity.asynq(1)
    task.value()
    with pytest.raises(RuntimeError, match="initialized already"):
        initialize_again(task)
    assert task.value() == 1


def test_a_running_task_cannot_be_initialized_again():
    @async_function()
    def main():
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(get_active_task())
        return (yield identity.asynq(2))

    assert main.asynq().value() == 2


def test_a_running_synchronous_call_cannot_be_initialized_again():
    @async_function()
    def main():
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(get_active_task())
        return (yield identity.asynq(2))

    assert main() == 2


def test_a_blocked_task_cannot_be_initialized_again(source):
    blocked = wait_for.asynq(source.item(1))

    @async_function()
    def disturb():
        yield None
        with pytest.raises(RuntimeError, match="initialized already"):
            initialize_again(blocked)

    @async_function()
    def main():
        return (yield blocked, disturb.asynq())[0]

    assert main() == source.item(1).value()


def test_a_generator_that_is_spared_by_the_collector_dies_safely():
    assert_ends_well(
        """
        import gc
        from asynq import asynq

        @asynq()
        def f(x):
            yield None

        tasks = [f.asynq(x) for x in range(1000)]
        generators = [task._generator for task in tasks]
        del tasks
        gc.collect()
        del generators
        gc.collect()
        print("well")
        """
    )


def test_a_constant_future_cannot_be_initialized_again():
    future = ConstFuture(1)
    with pytest.raises(asynq.FutureIsAlreadyComputed):
        future.__init__(2)
    assert future.value() == 1


def test_an_item_cannot_be_initialized_again(source):
    item = source.item(1)
    with pytest.raises(RuntimeError, match="in a batch already"):
        BatchItemBase.__init__(item, item.batch)
    assert len(item.batch.items) == 1


def test_a_decorator_that_is_initialized_again_decorates_the_other_function():
    @async_function()
    def first():
        return 1

    def second():
        return 2

    first.__init__(second, AsyncTask)
    assert first() == 2


def test_a_binder_that_is_initialized_again_may_be_used_by_a_destructor():
    seen = []
    binder = _asynq.DecoratorBinder(Reacting(lambda: seen.append(binder.decorator)))
    binder.__init__(len)
    assert seen == [len]


def test_a_decorator_that_is_initialized_again_may_be_used_by_a_destructor():
    seen = []
    decorator = _asynq.DecoratorBase(Reacting(lambda: seen.append(decorator.fn)))
    decorator.__init__(len)
    assert seen == [len]


def test_a_hook_that_is_replaced_may_use_the_scheduler_when_it_dies():
    scheduler = asynq.scheduler.TaskScheduler()
    seen = []
    scheduler.on_before_batch_flush = Reacting(lambda: seen.append(scheduler.on_before_batch_flush))
    scheduler.on_before_batch_flush = "hook"
    assert seen == ["hook"]


def test_the_name_of_a_scheduler_may_use_it_when_it_dies():
    scheduler = asynq.scheduler.TaskScheduler()
    seen = []
    scheduler.name = Reacting(lambda: seen.append(scheduler.name))
    scheduler.name = "name"
    assert seen == ["name"]


# --- objects that are not generators


NOT_GENERATORS = [12345678901, None, "text", 1.5, b"bytes", object(), [1], len]


@pytest.mark.parametrize("thing", NOT_GENERATORS, ids=lambda thing: type(thing).__name__)
def test_a_task_needs_a_generator(no_assertions, thing):
    with pytest.raises(TypeError, match=f"generator is expected, but {type(thing).__name__} is"):
        AsyncTask(thing, identity, (), {})


@pytest.mark.parametrize("thing", NOT_GENERATORS, ids=lambda thing: type(thing).__name__)
def test_a_function_that_was_taken_for_a_generator_function_fails(thing):
    @async_function()
    def main():
        return thing

    main.needs_wrapper = True
    task = main.asynq()
    with pytest.raises((AttributeError, TypeError)):
        wait_for(task)
    gc.collect()


def test_an_object_with_the_methods_of_a_generator_is_one(no_assertions):
    class Generator:
        def send(self, value):
            raise StopIteration(42)

        def throw(self, error):
            raise error

        def close(self):
            pass

    assert AsyncTask(Generator(), identity, (), {}).value() == 42


def test_one_generator_of_two_tasks():
    shared = generator()
    tasks = [AsyncTask(shared, identity, (), {}) for _ in range(2)]

    @async_function()
    def main():
        return (yield tasks)

    assert main() == ["other", None]


# --- structures that change while they are yielded


class Changing:
    """A key whose hash changes the structure it is in."""

    def __init__(self, change):
        self.change = None
        self.prepared = change

    def __hash__(self):
        if self.change is not None:
            self.change()
        return 1

    def __eq__(self, other):
        return self is other


def test_a_dict_that_grows_while_it_is_unwrapped():
    futures = {}
    key = Changing(lambda: futures.setdefault(len(futures), ConstFuture(3)))
    futures[key] = identity.asynq(1)
    futures["b"] = identity.asynq(2)
    key.change = key.prepared
    assert list(wait_for(futures).values()) == [1, 2]


def test_a_dict_that_is_cleared_while_it_is_unwrapped():
    futures = {}
    key = Changing(futures.clear)
    futures[key] = ConstFuture(1)
    futures["b"] = ConstFuture(2)
    key.change = key.prepared
    assert list(unwrap(futures).values()) == [1, 2]


def test_a_dict_that_grows_while_it_is_walked(monkeypatch):
    futures = {}
    monkeypatch.setattr(
        trace, "schedule_task", lambda _: futures.setdefault(len(futures), ConstFuture(0))
    )
    monkeypatch.setattr(debug.options, "DUMP_SCHEDULE_TASK", True)
    futures["a"] = identity.asynq(1)
    futures["b"] = identity.asynq(2)
    values = wait_for(futures)
    assert (values["a"], values["b"]) == (1, 2)


@pytest.mark.parametrize("change", [list.clear, list.pop, lambda futures: futures.append(None)])
def test_a_list_that_changes_while_its_futures_are_computed(change):
    class Computed(FutureBase):
        def _compute(self):
            change(futures)
            self.set_value(1)

    futures = [Computed(), Computed()]
    values = wait_for(futures)
    assert set(values) <= {1, None}


# --- computing by hand


def test_computing_a_task_twice():
    task = identity.asynq(1)
    task.value()
    task._compute()
    assert task.value() == 1


def test_computing_a_running_task():
    @async_function()
    def main():
        with pytest.raises(asynq.scheduler.AsyncTaskError, match="is running"):
            get_active_task()._compute()
        yield None
        return 1

    assert main.asynq().value() == 1


def test_computing_a_batch_twice(source):
    item = source.item(1)
    batch = item.batch
    batch.flush()
    with pytest.raises(asynq.batching.BatchingError, match="already flushed"):
        batch._compute()
    assert item.is_computed()


def test_computing_a_batch_in_its_flush():
    def answer(item):
        with pytest.raises(asynq.batching.BatchingError, match="being flushed already"):
            item.batch._compute()
        item.set_value("answer")

    assert wait_for(Source(answer=answer).item(1)) == "answer"


def test_computing_a_lazy_future_twice():
    future = Future(lambda: 1)
    future.value()
    with pytest.raises(asynq.FutureIsAlreadyComputed):
        future._compute()


def test_a_running_task_that_is_told_that_it_is_computed():
    @async_function()
    def main():
        yield None
        with pytest.raises(ValueError, match="already executing"):
            get_active_task()._computed()
        yield None
        return 1

    assert main.asynq().value() in (1, None)


def test_a_running_task_whose_value_is_set():
    @async_function()
    def main():
        get_active_task().set_value(5)
        yield identity.asynq(1)
        return 1

    assert main.asynq().value() == 5


def test_a_synchronous_call_whose_value_is_set():
    @async_function()
    def main():
        get_active_task().set_value(5)
        yield identity.asynq(1)
        return 1

    assert main() == 5


def test_a_blocked_task_that_is_told_that_it_is_computed(source):
    blocked = wait_for.asynq(source.item(1))

    @async_function()
    def disturb():
        yield None
        blocked._computed()

    @async_function()
    def main():
        yield blocked, disturb.asynq()
        return "ended"

    assert main() == "ended"


def test_a_task_that_is_reset_while_it_runs():
    @async_function()
    def main():
        with pytest.raises(ValueError, match="already executing"):
            get_active_task().set_value(1)
        get_active_task().reset_unsafe()
        yield identity.asynq(1)

    with pytest.raises(asynq.scheduler.AsyncTaskError, match="neither a value nor an error"):
        main.asynq().value()


# --- attributes that link objects


def test_a_pending_item_stays_in_its_batch(source, new_source):
    item, other = source.item(1), new_source("other").item(2)
    with pytest.raises(RuntimeError, match="cannot move"):
        item.batch = other.batch
    assert item.batch is not other.batch


def test_a_computed_item_may_give_up_its_batch(source):
    item = source.item(1)
    item.value()
    item.batch = None
    assert item.batch is None


def test_an_item_that_never_joined_the_batch_it_refers_to_cannot_be_awaited(source):
    lost = BatchItemBase.__new__(BatchItemBase)
    lost.batch = source.item(1).batch
    with pytest.raises(TypeError, match="belongs to no batch"):
        wait_for(lost)


def test_a_task_is_not_its_own_creator():
    task = identity.asynq(1)
    with pytest.raises(ValueError, match="its own creator"):
        task.creator = task


def test_a_task_is_not_the_creator_of_its_creator():
    first, second = identity.asynq(1), identity.asynq(2)
    second.creator = first
    with pytest.raises(ValueError, match="its own creator"):
        first.creator = second
    assert len(second.traceback()) == 2


def test_a_decorator_does_not_decorate_itself():
    @async_function()
    def first():
        return 1

    @async_function()
    def second():
        return 2

    second.fn = first
    with pytest.raises(ValueError, match="cannot decorate itself"):
        first.fn = second
    assert first() == 1


def test_a_binder_that_binds_itself_has_no_hash():
    binder = _asynq.DecoratorBinder(len)
    binder.__init__(binder, binder)
    with pytest.raises(RecursionError):
        hash(binder)


def test_a_binder_that_binds_itself_has_no_text():
    binder = _asynq.DecoratorBinder(len)
    binder.__init__(binder, binder)
    with pytest.raises(RecursionError):
        str(binder)


def test_batches_inside_each_other():
    assert_ends_well(
        """
        from asynq import BatchBase

        class Nested(BatchBase):
            def _flush(self):
                pass

            def _try_switch_active_batch(self):
                pass

        outermost = inner = Nested()
        for _ in range(100_000):
            inner.items.append(Nested())
            inner = inner.items[0]
        try:
            outermost.flush()
        except RecursionError:
            print("well")
        """
    )


CHAINS = {
    "binders": "link = _asynq.DecoratorBinder(link)",
    "decorators": "link = _asynq.DecoratorBase(link)",
    "lazy futures": "link = Future(link)",
    "constants": "link = ConstFuture(link)",
    "errors": "error = ValueError(); error.link = link; link = ErrorFuture(error)",
    "names of tasks": "task = f.asynq(); task._name = link; link = task",
    "tasks": "link = f.asynq(link)",
    "hooks": "future = FutureBase(); future.on_computed = link; link = future",
    "items of batches": "batch = BatchBase(); batch.items = [link]; link = batch",
}


@pytest.mark.parametrize("step", CHAINS.values(), ids=CHAINS)
def test_a_long_chain_of_objects_is_freed(step):
    assert_ends_well(
        f"""
        import gc
        from asynq import *
        from asynq import _asynq, asynq

        @asynq()
        def f(x=None):
            return x

        link = len
        for _ in range(200_000):
            {step}
        del link
        gc.collect()
        print("well")
        """
    )


# --- objects that are half made


# Without the options, whose attributes are those of the process.
CLASSES = sorted(
    {cls for _, cls in inspect.getmembers(_asynq, inspect.isclass)} - {type(_asynq.options)},
    key=lambda cls: cls.__name__,
)


def assert_is_ordinary(error):
    assert type(error).__name__ != "PanicException"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_object_without_init_has_only_ordinary_errors(cls, capsys):
    skipped = {"__class__", "__init_subclass__", "__subclasshook__", "__new__", "__del__"}
    for name in sorted(set(dir(cls)) - skipped):
        try:
            thing = cls.__new__(cls)
        except TypeError:
            return  # A class that only asynq makes objects of.
        try:
            attribute = getattr(thing, name)
            if callable(attribute):
                attribute()
        except BaseException as error:
            assert_is_ordinary(error)
    gc.collect()


def delete(thing, name, _):
    delattr(thing, name)


@pytest.mark.parametrize("change", [setattr, delete])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_attributes_of_an_object_without_init_are_changed(cls, change):
    for name in sorted(dir(cls)):
        for value in (None, 1, -1, "text", [], {}, (), len, AsyncTask, object()):
            try:
                thing = cls.__new__(cls)
            except TypeError:
                return
            try:
                change(thing, name, value)
            except BaseException as error:
                assert_is_ordinary(error)


def instances(source):
    item = source.item(1)
    return [
        FutureBase(),
        Future(len),
        ErrorFuture(KeyError(1)),
        identity.asynq(1),
        item,
        item.batch,
        get_scheduler(),
        asynq.AsyncContext(),
        asynq.loader(lambda keys: {}),
        _asynq.DecoratorBinder(len),
        _asynq.Rounds(),
    ]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_and_pickling_has_only_ordinary_errors(source, copied):
    for thing in instances(source):
        try:
            copied(thing)
        except Exception as error:
            assert_is_ordinary(error)


def test_objects_cannot_change_to_a_class_with_other_contents(source):
    for thing in instances(source):
        for cls in CLASSES:
            try:
                thing.__class__ = cls
            except TypeError:
                continue
            assert type(thing).__basicsize__ == cls.__basicsize__
            assert isinstance(thing, FutureBase) == issubclass(cls, FutureBase)


def test_a_task_without_init_is_garbage_like_any_object():
    task = AsyncTask.__new__(AsyncTask)
    task.args = (task,)
    reference = weakref.ref(task)
    del task
    gc.collect()
    assert reference() is None


# --- the end of the interpreter


PYTHON_CODE = """
import sys, threading, time
import asynq
from asynq import asynq as async_function

started = threading.Event()

def spin(*_):
    started.set()
    while True:
        pass
"""

ENDLESS = {
    "synchronous call": """
        @async_function()
        def f():
            yield
            spin()
        target = f
    """,
    "plain function": """
        target = async_function()(spin)
    """,
    "value of a future": """
        target = asynq.Future(spin).value
    """,
    "subscriber": """
        future = asynq.FutureBase()
        future.on_computed.subscribe(spin)
        target = lambda: future.set_value(1)
    """,
    "flush": """
        class Batch(asynq.BatchBase):
            _flush = spin
            def _try_switch_active_batch(self): pass
        target = Batch().flush
    """,
    "context": """
        class Context(asynq.AsyncContext):
            resume = pause = spin
        target = Context().__enter__
    """,
    "key of a loader": """
        class Key:
            __hash__ = spin
        ld = asynq.loader(lambda keys: keys)
        target = lambda: ld(Key())
    """,
    "destructor": """
        class Value:
            __del__ = spin
        future = asynq.ConstFuture(Value())
        target = future.reset_unsafe
    """,
    "text": """
        class Value:
            __repr__ = spin
        future = asynq.ConstFuture(Value())
        target = lambda: repr(future)
    """,
}


@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
def test_a_daemon_thread_does_not_change_the_exit_status(endless):
    program = PYTHON_CODE + textwrap.dedent(endless)
    program += textwrap.dedent("""
        threading.Thread(target=target, daemon=True).start()
        started.wait()
        time.sleep(0.01)
        sys.exit(3)
    """)
    assert run(program) == (3, "", "")


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_load_that_is_late_does_not_change_the_exit_status(kind):
    program = PYTHON_CODE + textwrap.dedent("""
        if sys.argv[1] == "blocking":
            load = asynq.loader(blocking=True, timeout=0.05)(spin)
        else:
            @asynq.loader(timeout=0.05)
            async def load(keys):
                spin()
        try:
            load(1)
        except asynq.LoadTimeoutError:
            print("late")
        sys.exit(3)
    """)
    assert run(program, kind) == (3, "late", "")


def test_threads_that_used_asynq_end_as_usual():
    assert_ends_well(
        """
        import threading
        from asynq import asynq

        @asynq()
        def f():
            yield

        threads = [threading.Thread(target=f) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("well")
        """
    )


# --- sub-interpreters


SUB_INTERPRETER = """
import sys

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

def import_in_a_sub_interpreter():
    program = '''
import sys
sys.path[:0] = %r
try:
    import asynq
except ImportError as error:
    print(error)
''' % (sys.path,)
    try:
        interpreter = interpreters.create("legacy")
    except TypeError:
        interpreter = interpreters.create(isolated=False)
    interpreters.run_string(interpreter, program)
    interpreters.destroy(interpreter)
"""


def test_a_sub_interpreter_cannot_import_asynq():
    status, printed, _ = run(SUB_INTERPRETER + "import asynq\nimport_in_a_sub_interpreter()")
    assert (status, printed) == (
        0,
        "asynq cannot be imported in a sub-interpreter: import it in the main interpreter, or run "
        "this code in a process of its own",
    )


def test_the_main_interpreter_can_import_asynq_after_a_sub_interpreter_could_not():
    program = SUB_INTERPRETER + "import_in_a_sub_interpreter()\nimport asynq\nprint('well')"
    status, printed, _ = run(program)
    assert (status, printed.splitlines()[-1]) == (0, "well")


# --- contexts that code of ours enters while a call is driven


class EnteredInFlush(asynq.AsyncContext):
    def resume(self):
        pass

    def pause(self):
        pass


def test_a_flush_enters_a_context_in_a_call_of_a_call():
    source = Source(answer=lambda item: (EnteredInFlush().__enter__(), item.set_value(1)))

    @async_function()
    def inner():
        return (yield source.item(1))

    @async_function()
    def outer():
        return inner()

    assert outer() == 1


def test_a_decorator_that_is_its_own_class_of_tasks():
    @async_function()
    def decorated(*_):
        pass

    decorated.__init__(lambda *_: None, decorated)
    with pytest.raises(RecursionError):
        decorated.asynq(1)
