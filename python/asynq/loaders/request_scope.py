"""`request`: a context in which all loaders have rounds and caches of their own."""

from .._asynq import divide_loaders_by_request
from .._scopes import REQUESTS, current_request
from .scope import Scope
from .variants import new_variant


class request(Scope):
    """A context that isolates whatever is loaded inside, such as a request of a server.

    >>> import asynq
    >>> @asynq.loader
    ... def user(ids):
    ...     print("SELECT ... WHERE id IN", ids)
    ...     return {id: f"user {id}" for id in ids}
    >>> with asynq.request() as request:
    ...     user(1), user(1)
    ...     request.clear()  # after a write
    ...     user(1)
    SELECT ... WHERE id IN [1]
    ('user 1', 'user 1')
    SELECT ... WHERE id IN [1]
    'user 1'

    Inside, each loader has batches and a cache of its own, unless it has the setting
    `across_requests=True`. It caches values until the request ends, also if its function is called
    by a loader that is called inside; with `cache=False` it does not. Async functions, coroutines
    and tasks of asyncio that are created inside belong to the request. Requests may be nested: the
    innermost counts.

    `with` and `async with` do the same. For servers, see `asynq.middleware`.
    """

    def __init__(self):
        super().__init__(REQUESTS)
        # By the ids of cores, which their variants keep alive; with `per`, by values as well.
        self._variants = {}

    @staticmethod
    def current():
        """Returns the innermost request in which the caller is, or None."""
        return current_request()

    def clear(self):
        """Forgets all values that were loaded in this request, as `Loader.clear_all` does.

        Call it after a write: values that are in flight then are not used for later loads.
        """
        for variant in list(self._variants.values()):
            variant.clear_all()

    def resume(self):
        divide_loaders_by_request()
        super().resume()

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, exc_type, exc_value, traceback):
        self.__exit__(exc_type, exc_value, traceback)

    def variant_of(self, core, values):
        """Returns the variant of a loader in this request."""
        key = (id(core), values) if core.per else id(core)
        variant = self._variants.get(key)
        if variant is None:
            variant = self._variants.setdefault(key, new_variant(core, values, self))
        return variant
