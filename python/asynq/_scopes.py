"""The scopes in which code runs: requests, and scopes of loaders."""

from ._asynq import active_scopes

# The owner of all requests.
REQUESTS = object()


def current_request():
    """Returns the innermost `asynq.request` in which the caller is, or None."""
    requests = active_scopes().get(REQUESTS)
    return None if requests is None else requests[-1][0]
