"""Scenes: functions that do one or more operations on objects of a `Program`."""

import asyncio
import copy
import gc
import pickle
import threading
import types
import weakref

import asynq
from asynq import _asynq

from . import surface
from .values import change, changing, new_generator, new_hook, odd_key


def use_any(program):
    name, object = program.pick()
    program.use(name, object, program.random.choice(dir(type(object))))


def assign(program):
    """Sets an attribute to something of the right class."""
    name, object = program.pick(tuple(surface.CLASSES))
    names = [
        attribute
        for attribute in dir(type(object))
        if isinstance(getattr(type(object), attribute, None), types.GetSetDescriptorType)
    ]
    attribute = program.random.choice(names)
    value = program.named_odd()
    current = getattr(object, attribute, None)
    if current is not None and program.random.random() < 0.5:
        value = program.pick(type(current))
    program.fit(
        lambda value: setattr(object, attribute, value),
        [value],
        lambda text: f"{name}.{attribute} = {text}",
    )


def look(program):
    """Reads all attributes of an object."""
    name, object = program.pick(tuple(surface.CLASSES))
    program.say(f"look at {name}")
    for attribute in dir(type(object)):
        if isinstance(getattr(type(object), attribute, None), types.GetSetDescriptorType):
            getattr(object, attribute)
    for function in (repr, str):
        function(object)
    for method in ("traceback", "is_blocked", "dump", "to_str"):
        if hasattr(object, method):
            getattr(object, method)()


def initialize(program):
    name, object = program.pick(tuple(surface.CLASSES))
    if not isinstance(object, asynq.AsyncTask):
        program.call(f"{name}.__init__", object.__init__)
        return
    generator = ("a generator", new_generator(program))
    if program.random.random() < 0.3:
        generator = program.named_odd()
    program.say(f"{name}.__init__({generator[0]}, ...)")
    object.__init__(generator[1], program.odd(), (), {})


def make(program):
    cls = program.random.choice(surface.CLASSES)
    program.call(cls.__name__, cls)


def call_function(program):
    function = program.random.choice(surface.FUNCTIONS)
    program.call(getattr(function, "__name__", repr(function)), function)


def compute(program):
    name, future = program.pick(asynq.FutureBase)
    program.say(f"{name}.value()")
    program.keep(f"{name}.value()", future.value())


def compute_directly(program):
    name, future = program.pick(asynq.FutureBase)
    method = program.random.choice(["_compute", "_computed", "reset_unsafe", "set_value"])
    program.say(f"{name}.{method}()")
    getattr(future, method)(*([program.odd()] if method == "set_value" else []))


def wait_for_many(program):
    """Waits for several values in a task, and then for the results."""
    structure = [program.named_odd() for _ in range(program.random.randrange(1, 4))]
    context_name, context = program.pick((asynq.AsyncContext, asynq.NonAsyncContext))

    @asynq.asynq()
    def wait():
        program.act("step")
        if program.random.random() < 0.5:
            with context:
                program.act("step")
                values = yield [value for _, value in structure]
        else:
            values = yield tuple(value for _, value in structure)
        program.act("step")
        yield values

    text = ", ".join(name for name, _ in structure)
    program.say(f"wait for [{text}] in {context_name}")
    program.keep("a task that waits", wait.asynq())
    wait()


def call_async_function(program):
    name, function = program.pick((asynq.decorators.DecoratorBase, asynq.Loader))
    if program.random.random() < 0.5:
        program.say(f"{name}.asynq(1)")
        program.keep(f"{name}.asynq(1)", function.asynq(1))
    else:
        program.say(f"{name}(1)")
        program.keep(f"{name}(1)", function(1))


def go_on(program):
    """Continues or ends a generator without the scheduler."""
    name, generator = program.pick(types.GeneratorType)
    if generator is None:
        name, generator = "a generator", new_generator(program)
    method = program.random.choice(["__next__", "send", "throw", "close"])
    program.say(f"{name}.{method}()")
    arguments = {"send": [None], "throw": [ValueError("thrown")]}.get(method, [])
    getattr(generator, method)(*arguments)


def enter(program):
    name, context = program.pick((asynq.AsyncContext, asynq.NonAsyncContext))
    method = program.random.choice(["__enter__", "__exit__", "pause", "resume"])
    program.say(f"{name}.{method}()")
    getattr(context, method)(*([None] * 3 if method == "__exit__" else []))


def subscribe(program):
    name, future = program.pick(asynq.FutureBase)
    program.say(f"{name}.on_computed.subscribe()")
    future.on_computed.subscribe(new_hook(program, "on_computed"))


def change_container(program):
    name, container = program.pick((list, dict))
    program.say(f"{name} changes")
    change(program, container)


def wait_for_a_dict(program):
    """Waits for a dict that changes when its keys are hashed or compared."""
    container = {}
    for _ in range(program.random.randrange(1, 4)):
        with changing(program, container):
            container[odd_key(program, container)] = program.pick(asynq.FutureBase)[1]
    program.say("wait for a dict that changes")
    program.keep("a dict that changes", container)

    @asynq.asynq()
    def wait():
        return (yield program.random.choice([container, [container]]))

    wait()


def in_a_thread(program):
    program.say("the next operations are those of another thread")

    def run():
        program.main_threads.add(threading.get_ident())
        try:
            program.act("another thread")
            program.act("another thread")
        except BaseException as error:
            program.check(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not program.is_concurrent:
        thread.join(20)
    program.threads.append(thread)


def on_an_event_loop(program):
    name, function = program.pick((asynq.decorators.DecoratorBase, asynq.Loader))
    program.say(f"await {name}.asyncio(1)")

    async def run():
        program.act("coroutine")
        return await asyncio.wait_for(function.asyncio(1), 0.05)

    asyncio.run(run())


def refer_weakly(program):
    name, object = program.pick()
    program.say(f"weakref.ref({name})")
    program.weak_reference = weakref.ref(object, new_hook(program, "weakref"))


def drop(program):
    place = program.random.randrange(len(program.objects))
    program.say(f"del {program.objects[place][0]}")
    del program.objects[place]


def collect(program):
    program.say("gc.collect()")
    gc.collect()


def duplicate(program):
    name, object = program.pick()
    function = program.random.choice([copy.copy, copy.deepcopy, pickle.dumps, repr, hash, bool])
    program.say(f"{function.__name__}({name})")
    program.keep(f"a copy of {name}", function(object))


def call_for(program):
    name, task = program.pick(asynq.AsyncTask)
    program.say(f"call_for({name})")
    _asynq.call_for(task, program.act, "call_for")


# The more often a scene is in the list, the more often it is chosen.
SCENES = [
    *(assign, assign, assign, look, wait_for_a_dict),
    *(compute, wait_for_many, use_any, initialize, make, call_function),
    *(compute, compute, compute_directly, wait_for_many),
    *(wait_for_many, call_async_function, call_async_function),
    *(go_on, enter, subscribe, change_container),
    *(in_a_thread, on_an_event_loop, refer_weakly, drop),
    *(collect, duplicate, call_for),
]
