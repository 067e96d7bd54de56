"""`ModelLoader`: the loader behind `asynq.django` and `asynq.sqlalchemy`."""

from .loaders import Loader

__traceback_hide__ = True


class ModelLoader(Loader):
    """A loader whose function returns a coroutine on event loops, and blocks elsewhere."""

    _returns_coroutines = True


def refuse_settings(settings, why, *names):
    """Raises `TypeError` if one of these settings is given."""
    for name in names:
        if name in settings:
            raise TypeError(f"{name} is not a setting of these loaders: {why}")
