"""Loaders: call a function that takes many keys as if it took one key.

>>> import asynq
>>> @asynq.loader(max_batch_size=500)
... def user(ids):
...     print("SELECT ... WHERE id IN", ids)
...     return {id: f"user {id}" for id in ids}
>>> @asynq.asynq()
... def greeting(id):
...     return "Hello, " + (yield user.asynq(id))
>>> @asynq.asynq()
... def greetings(ids):
...     return (yield [greeting.asynq(id) for id in ids])
>>> greetings([1, 2, 1])
SELECT ... WHERE id IN [1, 2]
['Hello, user 1', 'Hello, user 2', 'Hello, user 1']
>>> user(7)
SELECT ... WHERE id IN [7]
'user 7'
"""

from .. import _installation as _installation  # isort: split

from .._lru import Lru
from ._loader import Loader, loader
from .errors import LoadError, LoadTimeoutError, MissingKeyError
from .group import Group
from .limit import set_max_in_flight
from .stats import Flushed, Stats
from .thread_pool import set_max_threads

__all__ = [
    "Flushed",
    "Group",
    "LoadError",
    "LoadTimeoutError",
    "Loader",
    "Lru",
    "MissingKeyError",
    "Stats",
    "loader",
    "set_max_in_flight",
    "set_max_threads",
]
