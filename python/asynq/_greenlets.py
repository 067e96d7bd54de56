"""Detection of the package greenlet, with which a thread has several call stacks.

gevent, eventlet and `AsyncSession.run_sync` of SQLAlchemy use it. The extension asks for the
current greenlet only if the package is loaded, since most programs never load it.
"""

import importlib.util
import sys

from ._asynq import set_greenlets_loaded


class _Finder:
    """An import hook that notices when the package is about to be loaded."""

    def __init__(self):
        self._is_searching = False

    def find_spec(self, name, path=None, target=None):
        if name != "greenlet" or self._is_searching:
            return None
        self._is_searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_searching = False
        if spec is not None:
            set_greenlets_loaded()
        return spec


def watch():
    """Tells the extension as soon as the package is loaded."""
    if "greenlet" in sys.modules:
        set_greenlets_loaded()
    else:
        sys.meta_path.insert(0, _Finder())
