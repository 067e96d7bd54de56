"""The scopes in which code runs: requests, and scopes of loaders."""

import contextvars
import types

# A dict from owners, such as loaders, to tuples of scopes. Never changed, only replaced.
_active = contextvars.ContextVar("asynq.scopes", default=types.MappingProxyType({}))

# The owner of all requests.
REQUESTS = object()


def active_scopes():
    """Returns the scopes in which the caller is, by their owners, the innermost last."""
    return _active.get()


def set_active_scopes(scopes):
    """Replaces them, in this context."""
    _active.set(scopes)


def current_request():
    """Returns the innermost `asynq.request` in which the caller is, or None."""
    requests = active_scopes().get(REQUESTS)
    return None if requests is None else requests[-1]
