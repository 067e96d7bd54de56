"""One program: operations on whatever there is, by whoever is running just then."""

import asyncio
import copy
import gc
import inspect
import pickle
import random
import re
import threading
import types
import weakref

import asynq
from asynq import _asynq

from . import surface
from .cast import Cast

OPERATIONS = 40

# What a method of Rust complains of.
_NOT_AN_INSTANCE = re.compile("'(.+?)' object is not an instance of '(.+?)'")
_BY_NAME = {cls.__name__: cls for cls in (list, dict, tuple, type, *surface.CLASSES)}

_INTERESTING = (types.GeneratorType, types.CoroutineType, list, dict, *surface.CLASSES)


class Program:
    """`only`, if given, are the numbers of the operations that are not left out. `trace(text)` is
    told of each before it is done.
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
        self._is_concurrent = seed % 4 == 0
        self._main = {threading.get_ident()}
        self._random = random.Random(f"cast {seed}")
        self.objects = []
        self._begins = False
        self._focus = []
        for name, member in Cast(self.act, self.odd).members():
            self.objects.append((f"{name}{len(self.objects)}", member))
        self._begins = True
        # Much happens to a few of them: most faults take two operations on one object.
        self._focus = [pair for pair in self.objects if not pair[0].startswith("half_")]
        self._focus = self._random.sample(self._focus, 10)

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
        count = 1 if place == "main" else self._random.choice([0, 1, 1, 2])
        for _ in range(count):
            if not self._begins or self.done == OPERATIONS or self._depth > 8:
                return
            if not self._is_concurrent and threading.get_ident() not in self._main:
                return
            self._do(place)

    def _do(self, place):
        number = self.done
        self.done += 1
        before, self._random = self._random, random.Random(f"{self.seed} {number}")
        self._depth += 1
        try:
            if self.only is None or number in self.only:
                self._note = f"{number:3} {place}: "
                # Half of them go over the whole surface, from one program to the next.
                if number % 2:
                    index = self._index_on_surface(number)
                    self.covered.add(index)
                    self._touch(*surface.ATTRIBUTES[index])
                else:
                    self._random.choice(_SCENES)(self)
        except BaseException as error:
            self.check(error)
            if place != "main" and self._random.random() < 0.2:
                raise
        finally:
            self._depth -= 1
            self._random = before

    def _index_on_surface(self, number):
        # Neighbours are methods of one class: the next is taken from far away.
        count = self.seed * OPERATIONS // 2 + number // 2
        return count * 7919 % len(surface.ATTRIBUTES)

    def check(self, error):
        if type(error).__name__ == "PanicException":
            self.found.append(f"{error!r} at {self._note}")

    def _say(self, text):
        if self.trace is not None:
            self.trace(self._note + text)

    # What there is.

    def _pick(self, classes=object):
        if self._random.random() < 0.6:
            fitting = [pair for pair in self._focus if isinstance(pair[1], classes)]
            if fitting:
                return self._random.choice(fitting)
        fitting = [pair for pair in self.objects if isinstance(pair[1], classes)]
        if self._random.random() < 0.8:
            fitting = [pair for pair in fitting if not pair[0].startswith("half_")] or fitting
        return self._random.choice(fitting or [("None", None)])

    def odd(self):
        """Any value."""
        return self._odd()[1]

    def _odd(self):
        kind = self._random.random()
        if kind < 0.45:
            return self._pick()
        if kind < 0.6:
            return self._pick(asynq.FutureBase)
        if kind < 0.7:
            futures = [self._pick(asynq.FutureBase) for _ in range(self._random.randrange(4))]
            text = ", ".join(name for name, _ in futures)
            if self._random.random() < 0.3:
                return f"{{{text}}}", dict(enumerate(future for _, future in futures))
            return f"[{text}]", [future for _, future in futures]
        maker = self._random.choice(_ODD)
        return maker.__name__, maker(self)

    def _keep(self, name, object):
        if isinstance(object, (*_INTERESTING, types.FunctionType)):
            self.objects.append((f"{name}[{len(self.objects)}]", object))

    # Operations.

    def _touch(self, cls, attribute):
        """Gets, sets or deletes an attribute of some object of a class, or calls it."""
        exact = [pair for pair in self.objects if type(pair[1]) is cls]
        name, object = self._random.choice(exact) if exact else self._pick(cls)
        if not isinstance(object, cls):
            name, object = f"{cls.__name__}.__new__()", cls.__new__(cls)
        self._use(name, object, attribute)

    def use_any(self):
        name, object = self._pick()
        self._use(name, object, self._random.choice(dir(type(object))))

    def _use(self, name, object, attribute):
        action = self._random.random()
        path = f"{name}.{attribute}"
        if action < 0.15:
            self._fit(
                lambda value: setattr(object, attribute, value),
                [self._odd()],
                lambda text: f"{path} = {text}",
            )
        elif action < 0.2:
            self._say(f"del {path}")
            delattr(object, attribute)
        elif action < 0.3:
            self._say(path)
            self._keep(path, getattr(object, attribute))
        else:
            result = getattr(object, attribute)
            self._keep(path, result)
            if callable(result):
                self._call(path, result)

    def _call(self, name, function):
        """Calls something with as many arguments as it takes, or with any number."""
        count = self._random.choice([0, 0, 1, 1, 2, 3])
        if self._random.random() < 0.8:
            try:
                parameters = inspect.signature(function).parameters.values()
            except (TypeError, ValueError):
                parameters = ()
            count = sum(parameter.default is parameter.empty for parameter in parameters)
        arguments = [self._odd() for _ in range(count)]
        self._keep(f"{name}()", self._fit(function, arguments, lambda text: f"{name}({text})"))

    def _fit(self, function, arguments, show):
        """Calls a function, and once more with arguments of the classes that it complains of."""
        for _ in range(4):
            self._say(show(", ".join(text for text, _ in arguments)))
            try:
                return function(*[value for _, value in arguments])
            except TypeError as error:
                wrong = _NOT_AN_INSTANCE.search(str(error))
                if wrong is None or self._random.random() < 0.2:
                    raise
                given = [type(value).__name__ for _, value in arguments]
                if wrong[1] not in given or wrong[2] not in _BY_NAME:
                    raise
                arguments[given.index(wrong[1])] = self._pick(_BY_NAME[wrong[2]])
        return None

    def assign(self):
        """Sets an attribute to something of the right class."""
        name, object = self._pick(tuple(surface.CLASSES))
        names = [
            attribute
            for attribute in dir(type(object))
            if isinstance(getattr(type(object), attribute, None), types.GetSetDescriptorType)
        ]
        attribute = self._random.choice(names)
        value = self._odd()
        current = getattr(object, attribute, None)
        if current is not None and self._random.random() < 0.5:
            value = self._pick(type(current))
        self._fit(
            lambda value: setattr(object, attribute, value),
            [value],
            lambda text: f"{name}.{attribute} = {text}",
        )

    def look(self):
        """Reads everything there is to know about an object."""
        name, object = self._pick(tuple(surface.CLASSES))
        self._say(f"look at {name}")
        for attribute in dir(type(object)):
            if isinstance(getattr(type(object), attribute, None), types.GetSetDescriptorType):
                getattr(object, attribute)
        for function in (repr, str):
            function(object)
        for method in ("traceback", "is_blocked", "dump", "to_str"):
            if hasattr(object, method):
                getattr(object, method)()

    def initialize(self):
        name, object = self._pick(tuple(surface.CLASSES))
        if not isinstance(object, asynq.AsyncTask):
            self._call(f"{name}.__init__", object.__init__)
            return
        generator = ("a generator", self._generator())
        if self._random.random() < 0.3:
            generator = self._odd()
        self._say(f"{name}.__init__({generator[0]}, ...)")
        object.__init__(generator[1], self.odd(), (), {})

    def make(self):
        cls = self._random.choice(surface.CLASSES)
        self._call(cls.__name__, cls)

    def call_function(self):
        function = self._random.choice(surface.FUNCTIONS)
        self._call(getattr(function, "__name__", repr(function)), function)

    def compute(self):
        name, future = self._pick(asynq.FutureBase)
        self._say(f"{name}.value()")
        self._keep(f"{name}.value()", future.value())

    def compute_directly(self):
        name, future = self._pick(asynq.FutureBase)
        method = self._random.choice(["_compute", "_computed", "reset_unsafe", "set_value"])
        self._say(f"{name}.{method}()")
        getattr(future, method)(*([self.odd()] if method == "set_value" else []))

    def wait_for_many(self):
        """A task that waits for several things, once more for each of their values."""
        structure = [self._odd() for _ in range(self._random.randrange(1, 4))]
        context_name, context = self._pick((asynq.AsyncContext, asynq.NonAsyncContext))

        @asynq.asynq()
        def wait():
            self.act("step")
            if self._random.random() < 0.5:
                with context:
                    self.act("step")
                    values = yield [value for _, value in structure]
            else:
                values = yield tuple(value for _, value in structure)
            self.act("step")
            yield values

        text = ", ".join(name for name, _ in structure)
        self._say(f"wait for [{text}] in {context_name}")
        self._keep("a task that waits", wait.asynq())
        wait()

    def call_async_function(self):
        name, function = self._pick((asynq.decorators.DecoratorBase, asynq.Loader))
        if self._random.random() < 0.5:
            self._say(f"{name}.asynq(1)")
            self._keep(f"{name}.asynq(1)", function.asynq(1))
        else:
            self._say(f"{name}(1)")
            self._keep(f"{name}(1)", function(1))

    def go_on(self):
        """Behind the scheduler's back."""
        name, generator = self._pick(types.GeneratorType)
        if generator is None:
            name, generator = "a generator", self._generator()
        method = self._random.choice(["__next__", "send", "throw", "close"])
        self._say(f"{name}.{method}()")
        arguments = {"send": [None], "throw": [ValueError("thrown")]}.get(method, [])
        getattr(generator, method)(*arguments)

    def enter(self):
        name, context = self._pick((asynq.AsyncContext, asynq.NonAsyncContext))
        method = self._random.choice(["__enter__", "__exit__", "pause", "resume"])
        self._say(f"{name}.{method}()")
        getattr(context, method)(*([None] * 3 if method == "__exit__" else []))

    def subscribe(self):
        name, future = self._pick(asynq.FutureBase)
        self._say(f"{name}.on_computed.subscribe()")
        future.on_computed.subscribe(self._hook("on_computed"))

    def change_container(self):
        name, container = self._pick((list, dict))
        self._say(f"{name} changes")
        self._change(container)

    def _change(self, container):
        method = self._random.choice(["clear", "pop", "insert", "insert"])
        if method == "clear":
            container.clear()
        elif method == "pop":
            container.pop() if isinstance(container, list) else container.popitem()
        elif isinstance(container, list):
            container.insert(0, self._pick(asynq.FutureBase)[1])
        else:
            container[self._random.choice([self.odd_key(), 1, 2])] = self._pick(asynq.FutureBase)[1]

    def wait_for_a_dict(self):
        """One that changes when its keys are hashed or compared."""
        container = {}
        for _ in range(self._random.randrange(1, 4)):
            container[self.odd_key(container)] = self._pick(asynq.FutureBase)[1]
        self._say("wait for a dict that changes")
        self._keep("a dict that changes", container)

        @asynq.asynq()
        def wait():
            return (yield self._random.choice([container, [container]]))

        wait()

    def in_a_thread(self):
        self._say("the next operations are those of another thread")

        def run():
            self._main.add(threading.get_ident())
            try:
                self.act("another thread")
                self.act("another thread")
            except BaseException as error:
                self.check(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        if not self._is_concurrent:
            thread.join(20)
        self.threads.append(thread)

    def on_an_event_loop(self):
        name, function = self._pick((asynq.decorators.DecoratorBase, asynq.Loader))
        self._say(f"await {name}.asyncio(1)")

        async def run():
            self.act("coroutine")
            return await asyncio.wait_for(function.asyncio(1), 0.05)

        asyncio.run(run())

    def refer_weakly(self):
        name, object = self._pick()
        self._say(f"weakref.ref({name})")
        self._keep_weakly = weakref.ref(object, self._hook("weakref"))

    def drop(self):
        place = self._random.randrange(len(self.objects))
        self._say(f"del {self.objects[place][0]}")
        del self.objects[place]

    def collect(self):
        self._say("gc.collect()")
        gc.collect()

    def duplicate(self):
        name, object = self._pick()
        function = self._random.choice([copy.copy, copy.deepcopy, pickle.dumps, repr, hash, bool])
        self._say(f"{function.__name__}({name})")
        self._keep(f"a copy of {name}", function(object))

    def call_for(self):
        name, task = self._pick(asynq.AsyncTask)
        self._say(f"call_for({name})")
        _asynq.call_for(task, self.act, "call_for")

    # Values.

    def _hook(self, place):
        def hook(*args, **kwargs):
            self.act(place)

        return hook

    def _generator(self):
        self.act("generator")
        yield self.odd()
        self.act("generator")
        yield self.odd()

    def an_int(self):
        return self._random.choice([0, 1, -1, 3, 2**63, -(2**63), 2**100])

    def a_text(self):
        return self._random.choice(["", "a key", "\ud800", b"", b"bytes"])

    def a_number(self):
        return self._random.choice([True, False, 1.5, float("nan"), float("inf"), 1j])

    def an_error(self):
        return self._random.choice(
            [
                *(ValueError("x"), ValueError, KeyboardInterrupt(), SystemExit(3)),
                *(StopIteration(1), GeneratorExit(), asynq.AsyncTaskResult(1)),
                *(asynq.AsyncTaskCancelledError(), asynq.FutureIsAlreadyComputed(None)),
            ]
        )

    def a_class(self):
        return self._random.choice([int, object, type, *surface.CLASSES])

    def a_container(self):
        return self._random.choice([[], (), {}, {"a": 1}, [1, 2], (None,), range(3), {1, 2}])

    def a_generator(self):
        return self._generator()

    def a_hook(self):
        return self._hook("a hook")

    def odd_key(self, container=None):
        """Acts, and changes a container, when it is compared or hashed."""

        def act(place):
            self.act(place)
            if container and self._random.random() < 0.4:
                self._change(container)

        class Key:
            def __hash__(self):
                act("__hash__")
                return 1

            def __eq__(self, other):
                act("__eq__")
                return self is other

            def __len__(self):
                act("__len__")
                return 1

            def __iter__(self):
                act("__iter__")
                return iter([1])

            def __getattr__(self, name):
                act(f"__getattr__ of {name}")
                raise AttributeError(name)

            def __del__(self):
                act("__del__")

        return Key()


_SCENES = [
    *(Program.assign, Program.assign, Program.assign, Program.look, Program.wait_for_a_dict),
    *(
        Program.compute,
        Program.wait_for_many,
        Program.use_any,
        Program.initialize,
        Program.make,
        Program.call_function,
    ),
    *(Program.compute, Program.compute, Program.compute_directly, Program.wait_for_many),
    *(Program.wait_for_many, Program.call_async_function, Program.call_async_function),
    *(Program.go_on, Program.enter, Program.subscribe, Program.change_container),
    *(Program.in_a_thread, Program.on_an_event_loop, Program.refer_weakly, Program.drop),
    *(Program.collect, Program.duplicate, Program.call_for),
]

_ODD = [
    *(Program.an_int, Program.a_text, Program.a_number, Program.an_error, Program.a_class),
    *(Program.a_container, Program.a_generator, Program.a_hook, Program.odd_key),
]
