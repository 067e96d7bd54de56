"""Runs a program (see `programs`) on any package named `asynq`, and reports its behaviour.

As a script it reads programs from standard input, one per line, and answers each with a line:

    {"outcome": ["value", ..] or ["error", type, message],
     "flushes": [[source, keys, calls, active contexts], ..],
     "steps": {statement: active contexts}, "made": items made, "complaints": [..]}

It must run on both packages, so it uses only what both of them have.
"""

import json
import sys

from asynq import (
    AsyncContext,
    AsyncTask,
    BatchBase,
    BatchItemBase,
    ConstFuture,
    ErrorFuture,
    Future,
    asynq,
)


class ProgramError(Exception):
    pass


class Return(Exception):
    pass


class Batch(BatchBase):
    def __init__(self, run, number):
        super().__init__()
        self.run = run
        self.number = number

    def get_priority(self):
        # Without a tie, as the reference takes any of several equal batches.
        priority = self.run.sources[self.number]["priority"]
        return (0, len(self.items), -self.number) if priority is None else (priority,)

    def _try_switch_active_batch(self):
        if self.run.open.get(self.number) is self:
            del self.run.open[self.number]

    def _flush(self):
        self.run.on_flush(self)
        answer = self.run.sources[self.number]["answer"]
        for item in self.items:
            odd = item.key % 2 == 1
            if answer == "fail all":
                raise ProgramError(f"source {self.number} fails")
            if odd and answer == "fail odd":
                item.set_error(ProgramError(f"source {self.number} fails {item.key}"))
            elif not (odd and answer == "forget odd"):
                item.set_value(2 * item.key)


class Item(BatchItemBase):
    def __init__(self, batch, key, name):
        super().__init__(batch)
        self.key = key
        self.name = name


class Context(AsyncContext):
    def __init__(self, run, name):
        self.run = run
        self.name = name

    def resume(self):
        if self.name in self.run.active:
            self.run.complaints.append(f"{self.name} was resumed twice")
        self.run.active.append(self.name)

    def pause(self):
        if self.run.active[-1:] != [self.name]:
            self.run.complaints.append(f"{self.name} was paused, in {self.run.active}")
        if self.name in self.run.active:
            self.run.active.remove(self.name)


class Run:
    """One run of a program."""

    def __init__(self, program):
        self.sources = program["sources"]
        self.body = program["body"]
        self.open = {}
        self.active = []
        self.calls = []
        self.waiting = {}
        self.in_get = 0
        self.flushes = []
        self.steps = {}
        self.made = []
        self.complaints = []

    def report(self):
        try:
            outcome = ["value", plain(self.call(self.body, {}, "0"))]
        except Exception as error:
            outcome = ["error", type(error).__name__, str(error)]
        if self.active:
            self.complaints.append(f"still active in the end: {self.active}")
        return {
            "outcome": outcome,
            "flushes": self.flushes,
            "steps": self.steps,
            "made": self.made,
            "complaints": self.complaints,
        }

    def task(self, body, made, name):
        return function.asynq(Function(self, dict(made), name), body)

    def call(self, body, made, name):
        """Makes a synchronous call."""
        task = self.task(body, made, name)
        self.calls.append((task, list(self.active)))
        try:
            return task.value()
        finally:
            self.calls.pop()

    def item(self, source, key, name):
        number = source % len(self.sources)
        batch = self.open.get(number)
        if batch is None:
            batch = self.open[number] = Batch(self, number)
        self.made.append(name)
        return Item(batch, key, name)

    def get(self, source, key, name):
        item = self.item(source, key, name)
        self.in_get += 1
        try:
            return item.value()
        finally:
            self.in_get -= 1

    def on_flush(self, batch):
        names = sorted(item.name for item in batch.items)
        self.flushes.append([batch.number, names, len(self.calls), list(self.active)])
        if not self.in_get:
            task, around = self.calls[-1]
            self.look_for_runnable(task)
            if self.active != around:
                self.complaints.append(f"in a flush {self.active} are active, not {around}")

    def look_for_runnable(self, root):
        """Adds a complaint if a task that `root` needs could run."""
        seen, left = set(), [root]
        while left:
            future = left.pop()
            if future.is_computed() or id(future) in seen:
                continue
            seen.add(id(future))
            if isinstance(future, AsyncTask):
                awaited = self.waiting.get(future.args[0], [])
                if all(other.is_computed() for other in awaited):
                    self.complaints.append(f"at a flush the task {future.args[0].name} can run")
                left += awaited
            elif not isinstance(future, Item):
                self.complaints.append("at a flush a lazy future can be computed")


class Function:
    """One call of a function: its name, and the tasks that it created or got from its caller."""

    def __init__(self, run, made, name):
        self.run = run
        self.made = made
        self.name = name
        self.results = []

    def block(self, body, name):
        run = self.run
        for place, statement in enumerate(body):
            here = f"{name}.{place}"
            run.steps[here] = list(run.active)
            kind, arguments = statement[0], statement[1:]
            if kind == "await":
                self.results.append((yield from self.wait(arguments[0], here)))
            elif kind == "call":
                self.results.append(run.call(arguments[0], self.made, here))
            elif kind == "get":
                self.results.append(run.get(*arguments, here))
            elif kind == "make":
                self.made[here] = run.task(arguments[0], self.made, here)
            elif kind == "with":
                with Context(run, here):
                    yield from self.block(arguments[0], here)
            elif kind == "try":
                try:
                    yield from self.block(arguments[0], here)
                except Return:
                    raise
                except Exception as error:
                    self.results.append(["caught", type(error).__name__, str(error)])
            elif kind == "raise":
                raise ProgramError(arguments[0])
            else:
                raise Return

    def wait(self, expression, name):
        awaited = []
        structure = self.build(expression, name, awaited)
        self.run.waiting[self] = awaited
        try:
            return (yield structure)
        finally:
            del self.run.waiting[self]

    def build(self, expression, name, awaited):
        if expression is None:
            return None
        kind, arguments = expression[0], expression[1:]
        if kind in ("list", "tuple"):
            parts = [
                self.build(part, f"{name}.{place}", awaited)
                for place, part in enumerate(arguments[0])
            ]
            return parts if kind == "list" else tuple(parts)
        if kind == "dict":
            return {
                key: self.build(part, f"{name}.{key}", awaited)
                for key, part in arguments[0].items()
            }
        future = self.future(kind, arguments, name)
        if future is not None:
            awaited.append(future)
        return future

    def future(self, kind, arguments, name):
        if kind == "item":
            return self.run.item(*arguments, name)
        if kind == "run":
            return self.run.task(arguments[0], self.made, name)
        if kind == "made":
            tasks = list(self.made.values())
            return tasks[arguments[0] % len(tasks)] if tasks else None
        if kind == "const":
            return ConstFuture(arguments[0])
        if kind == "lazy":
            return Future(lambda: arguments[0])
        return ErrorFuture(ProgramError(arguments[0]))


@asynq()
def function(call, body):
    try:
        yield from call.block(body, call.name)
    except Return:
        pass
    return call.results


def plain(value):
    """Returns the value in a form in which JSON keeps the difference of tuples and lists."""
    if isinstance(value, tuple):
        return {"tuple": [plain(part) for part in value]}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {"dict": [[key, plain(part)] for key, part in value.items()]}
    return value


def run(program):
    return Run(program).report()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
