"""Greenlets that run in turns: each one pauses where the test says."""

from conftest import Source
from programs import in_new_process

import asynq

# Each test runs in a process of its own, because the others must run without the package greenlet.
loaded = in_new_process("import greenlet")


@asynq.asynq()
def look_up(source, key):
    return (yield source.item(key))


@asynq.asynq()
def look_up_all(source, keys):
    return (yield [look_up.asynq(source, key) for key in keys])


class Pausing:
    """Runs functions in greenlets. `pause()`, called in one, lets the next one run."""

    def __init__(self):
        from greenlet import getcurrent, greenlet

        self.greenlet, self.getcurrent = greenlet, getcurrent
        self.main = getcurrent()
        self.log = []

    def pause(self):
        if self.getcurrent() is not self.main:
            self.main.switch()

    def run(self, *functions):
        """Runs the functions in turns until all have ended. Returns their values."""
        values = {}

        def call(index, function):
            values[index] = function()

        pending = [
            self.greenlet(lambda index=index, function=function: call(index, function))
            for index, function in enumerate(functions)
        ]
        while pending:
            for each in pending:
                each.switch()
            pending = [each for each in pending if not each.dead]
        return [values[index] for index in range(len(functions))]


def pausing_source(greenlets, name="source"):
    def answer(item):
        greenlets.pause()
        item.set_value(2 * item.key)

    return Source(name, answer=answer)
