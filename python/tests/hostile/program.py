"""One program: operations on whatever there is, by whoever is running just then."""

import inspect
import random
import re
import threading
import types

import asynq

from . import scenes, surface, values
from .cast import Cast

OPERATIONS = 40

# What a method of Rust complains of.
_NOT_AN_INSTANCE = re.compile("'(.+?)' object is not an instance of '(.+?)'")
_BY_NAME = {cls.__name__: cls for cls in (list, dict, tuple, type, *surface.CLASSES)}

_INTERESTING = (types.GeneratorType, types.CoroutineType, list, dict, *surface.CLASSES)


class Program:
    """Objects of all kinds, and operations on them that follow from `seed`.

    With `only`, the program leaves out all operations but those with these numbers. It calls
    `trace(text)` before each operation.
    """

    def __init__(self, seed, only=None, trace=None):
        self.seed = seed
        self.only = only
        self.trace = trace
        self.done = 0
        self.covered = set()
        self.found = []
        self.threads = []
        self._depth = 0
        # With threads that run beside each other, a program is not the same each time.
        self.is_concurrent = seed % 4 == 0
        self.main_threads = {threading.get_ident()}
        self.random = random.Random(f"cast {seed}")
        self.objects = []
        self.unchanging = []  # Ids of containers that keys must not change now.
        self._begins = False
        self._focus = []
        for name, member in Cast(self.act, self.odd).members():
            self.objects.append((f"{name}{len(self.objects)}", member))
        self._begins = True
        # Much happens to a few of them: most faults take two operations on one object.
        self._focus = [pair for pair in self.objects if not pair[0].startswith("half_")]
        self._focus = self.random.sample(self._focus, 10)

    def run(self):
        while self.done < OPERATIONS:
            self.act("main")
        for thread in self.threads:
            thread.join(20)
            if thread.is_alive():
                self.found.append("a thread hangs")
        self.objects = self._focus = []

    def act(self, place):
        """Does none, one or two of the operations that are left."""
        count = 1 if place == "main" else self.random.choice([0, 1, 1, 2])
        for _ in range(count):
            if not self._begins or self.done == OPERATIONS or self._depth > 8:
                return
            if not self.is_concurrent and threading.get_ident() not in self.main_threads:
                return
            self._do(place)

    def _do(self, place):
        number = self.done
        self.done += 1
        before, self.random = self.random, random.Random(f"{self.seed} {number}")
        self._depth += 1
        try:
            if self.only is None or number in self.only:
                self._note = f"{number:3} {place}: "
                # Half of them go over the whole surface, from one program to the next.
                if number % 2:
                    index = self._index_on_surface(number)
                    self.covered.add(index)
                    self.touch(*surface.ATTRIBUTES[index])
                else:
                    self.random.choice(scenes.SCENES)(self)
        except BaseException as error:
            self.check(error)
            if place != "main" and self.random.random() < 0.2:
                raise
        finally:
            self._depth -= 1
            self.random = before

    def _index_on_surface(self, number):
        # Neighbours are methods of one class: the next is taken from far away.
        count = self.seed * OPERATIONS // 2 + number // 2
        return count * 7919 % len(surface.ATTRIBUTES)

    def check(self, error):
        if type(error).__name__ == "PanicException":
            self.found.append(f"{error!r} at {self._note}")

    def say(self, text):
        if self.trace is not None:
            self.trace(self._note + text)

    # The objects.

    def pick(self, classes=object):
        """Returns the name of an object of these classes, and the object; None if there is none."""
        if self.random.random() < 0.6:
            fitting = [pair for pair in self._focus if isinstance(pair[1], classes)]
            if fitting:
                return self.random.choice(fitting)
        fitting = [pair for pair in self.objects if isinstance(pair[1], classes)]
        if self.random.random() < 0.8:
            fitting = [pair for pair in fitting if not pair[0].startswith("half_")] or fitting
        return self.random.choice(fitting or [("None", None)])

    def odd(self):
        """Returns any value."""
        return self.named_odd()[1]

    def named_odd(self):
        """Returns the description of any value, and the value."""
        kind = self.random.random()
        if kind < 0.45:
            return self.pick()
        if kind < 0.6:
            return self.pick(asynq.FutureBase)
        if kind < 0.7:
            futures = [self.pick(asynq.FutureBase) for _ in range(self.random.randrange(4))]
            text = ", ".join(name for name, _ in futures)
            if self.random.random() < 0.3:
                return f"{{{text}}}", dict(enumerate(future for _, future in futures))
            return f"[{text}]", [future for _, future in futures]
        maker = self.random.choice(values.ODD)
        return maker.__name__, maker(self)

    def keep(self, name, object):
        if isinstance(object, (*_INTERESTING, types.FunctionType)):
            self.objects.append((f"{name}[{len(self.objects)}]", object))

    # Operations.

    def touch(self, cls, attribute):
        """Gets, sets or deletes an attribute of some object of a class, or calls it."""
        exact = [pair for pair in self.objects if type(pair[1]) is cls]
        name, object = self.random.choice(exact) if exact else self.pick(cls)
        if not isinstance(object, cls):
            name, object = f"{cls.__name__}.__new__()", cls.__new__(cls)
        self.use(name, object, attribute)

    def use(self, name, object, attribute):
        with values.changing(self, object):
            self._use(name, object, attribute)

    def _use(self, name, object, attribute):
        action = self.random.random()
        path = f"{name}.{attribute}"
        if action < 0.15:
            self.fit(
                lambda value: setattr(object, attribute, value),
                [self.named_odd()],
                lambda text: f"{path} = {text}",
            )
        elif action < 0.2:
            self.say(f"del {path}")
            delattr(object, attribute)
        elif action < 0.3:
            self.say(path)
            self.keep(path, getattr(object, attribute))
        else:
            result = getattr(object, attribute)
            self.keep(path, result)
            if callable(result):
                self.call(path, result)

    def call(self, name, function):
        """Calls something with as many arguments as it takes, or with any number."""
        count = self.random.choice([0, 0, 1, 1, 2, 3])
        if self.random.random() < 0.8:
            try:
                parameters = inspect.signature(function).parameters.values()
            except (TypeError, ValueError):
                parameters = ()
            count = sum(parameter.default is parameter.empty for parameter in parameters)
        arguments = [self.named_odd() for _ in range(count)]
        self.keep(f"{name}()", self.fit(function, arguments, lambda text: f"{name}({text})"))

    def fit(self, function, arguments, show):
        """Calls a function, and once more with arguments of the classes that it complains of."""
        for _ in range(4):
            self.say(show(", ".join(text for text, _ in arguments)))
            try:
                return function(*[value for _, value in arguments])
            except TypeError as error:
                wrong = _NOT_AN_INSTANCE.search(str(error))
                if wrong is None or self.random.random() < 0.2:
                    raise
                given = [type(value).__name__ for _, value in arguments]
                if wrong[1] not in given or wrong[2] not in _BY_NAME:
                    raise
                arguments[given.index(wrong[1])] = self.pick(_BY_NAME[wrong[2]])
        return None
