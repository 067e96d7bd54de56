"""`AsyncEventHook`, an event hook whose handlers may be asynchronous."""

from ._event_hook import EventHook
from .decorators import async_call, asynq

__traceback_hide__ = True


class AsyncEventHook(EventHook):
    """An event whose handlers may be asynchronous functions, which run concurrently.

    >>> from asynq import asynq
    >>> @asynq()
    ... def greet(name):
    ...     print("hello", name)
    >>> hook = AsyncEventHook([greet])
    >>> hook.trigger("ann")
    hello ann
    """

    @asynq()
    def trigger(self, *args):
        """Calls every handler, and raises the first error, in the order of the handlers."""
        yield [async_call.asynq(handler, *args) for handler in tuple(self.handlers)]

    @asynq()
    def safe_trigger(self, *args):
        """Calls every handler, even if one raises before it first waits.

        Raises the first error afterwards, in the order of the handlers.
        """
        errors = yield [_error_of.asynq(handler, args) for handler in tuple(self.handlers)]
        first = next((error for error in errors if error is not None), None)
        if first is not None:
            try:
                raise first
            finally:
                del first, errors  # The traceback of the error refers to this frame.


@asynq()
def _error_of(handler, args):
    try:
        yield async_call.asynq(handler, *args)
    except BaseException as error:
        return error
