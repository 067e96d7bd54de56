from .._lru import Lru as Lru
from ._loader import Loader as Loader
from ._loader import loader as loader
from .errors import LoadError as LoadError
from .errors import LoadTimeoutError as LoadTimeoutError
from .errors import MissingKeyError as MissingKeyError
from .group import Group as Group
from .limit import set_max_in_flight as set_max_in_flight
from .stats import Flushed as Flushed
from .stats import Stats as Stats
from .thread_pool import set_max_threads as set_max_threads

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
