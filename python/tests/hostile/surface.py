"""Everything of asynq that a user can lay hands on."""

import importlib
import inspect

MODULES = [
    "asynq",
    "asynq._asynq",
    "asynq.async_task",
    "asynq.asynq_to_async",
    "asynq.batching",
    "asynq.contexts",
    "asynq.debug",
    "asynq.decorators",
    "asynq.futures",
    "asynq.generator",
    "asynq.loaders",
    "asynq.mock_",
    "asynq.profiler",
    "asynq.scheduler",
    "asynq.scoped_value",
    "asynq.stores.sqlite",
    "asynq.tools",
    "asynq.utils",
]

# These wait as long, or try as often, as they are told to; or they change the process for good.
_NOT_CALLED = {"aretry", "attach_exception_hook", "detach_exception_hook"}


def _members():
    for module in map(importlib.import_module, MODULES):
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        for name in names:
            member = getattr(module, name)
            if getattr(member, "__module__", "").startswith("asynq"):
                yield name, member


def _distinct(members):
    return list({id(member): member for member in members}.values())


#: Every class.
CLASSES = _distinct(member for _, member in _members() if inspect.isclass(member))

#: Every function that is no method.
FUNCTIONS = _distinct(
    member
    for name, member in _members()
    if callable(member) and not inspect.isclass(member) and name not in _NOT_CALLED
)

# Of what every object has, a few that could do something.
_OF_OBJECTS = {"__class__", "__dict__", "__reduce_ex__"}


def _attributes(cls):
    ours = [base for base in cls.__mro__ if base.__module__.startswith("asynq")]
    return {name for base in ours for name in vars(base)} | (_OF_OBJECTS & set(dir(cls)))


#: Every attribute of every class, as a pair of the class and a name.
ATTRIBUTES = [(cls, name) for cls in CLASSES for name in sorted(_attributes(cls))]
