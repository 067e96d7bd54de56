"""The end of the interpreter, and sub-interpreters: exit statuses are those of the program."""

import textwrap

import pytest
from programs import assert_ends_well, run

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


def test_loads_may_outlive_the_interpreter():
    status, _, printed = run(
        """
        import asyncio, asynq

        @asynq.loader
        async def user(ids):
            raise LookupError("no users")

        async def main():
            await asyncio.gather(user.asyncio(1), user.asyncio(2))

        asyncio.run(main())
        """
    )
    assert status == 1
    assert "LookupError: no users" in printed.splitlines()[-1]


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
