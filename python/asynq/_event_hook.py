"""`EventHook`, the type of `on_computed`, `on_before_batch_flush` and `on_after_batch_flush`."""

from collections.abc import Iterable

from ._validation import check_callable

__traceback_hide__ = True


class EventHook:
    """An event that functions can subscribe to.

    >>> hook = EventHook()
    >>> hook.subscribe(print)
    >>> hook.trigger("it happened")
    it happened
    >>> hook.unsubscribe(print)

    The hook calls its handlers in the order in which they subscribed. A handler that subscribes or
    unsubscribes while the event is triggered takes effect from the next time on.
    """

    __slots__ = ("__weakref__", "handlers")

    def __init__(self, handlers=None):
        if handlers is None:
            handlers = []
        elif not isinstance(handlers, Iterable):
            raise TypeError(f"handlers must be a list of functions, got {handlers!r}")
        elif not isinstance(handlers, list):
            handlers = list(handlers)
        for handler in handlers:
            check_callable("a handler", handler)
        self.handlers = handlers

    def __getattr__(self, name):
        # Called for `handlers` only if a subclass did not call `super().__init__()`.
        if name != "handlers":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.handlers = []
        return self.handlers

    def subscribe(self, handler):
        """Registers `handler(*args)`, which is called with the arguments of each `trigger`.

        Raises `AssertionError` if the handler is not callable.
        """
        assert callable(handler), f"Invalid handler {handler!r}: a handler must be callable"
        self.handlers.append(handler)

    def unsubscribe(self, handler):
        """Removes a handler; raises `ValueError` if it is not subscribed."""
        try:
            self.handlers.remove(handler)
        except ValueError:
            raise ValueError(f"cannot unsubscribe {handler!r}: not in list of handlers") from None

    def trigger(self, *args):
        """Calls every handler. If one raises, those after it are not called."""
        for handler in tuple(self.handlers):
            handler(*args)

    def safe_trigger(self, *args):
        """Calls every handler, even if one raises; then raises the first error, if any."""
        first = None
        for handler in tuple(self.handlers):
            try:
                handler(*args)
            except BaseException as error:
                if first is None:
                    first = error
        if first is not None:
            try:
                raise first
            finally:
                first = None  # The traceback of the error refers to this frame.

    def __call__(self, *args):
        """The same as `trigger`."""
        self.trigger(*args)

    def __contains__(self, handler):
        return handler in self.handlers

    def __iter__(self):
        return iter(self.handlers)

    def __str__(self):
        return f"EventHook{tuple(self.handlers)!r}"

    def __repr__(self):
        return str(self)


class SinkingEventHook(EventHook):
    """An event that never happens: the `on_computed` of futures that are created resolved."""

    __slots__ = ()

    def subscribe(self, handler):
        """Does nothing."""
        return self

    def unsubscribe(self, handler):
        """Does nothing."""
        return self

    def trigger(self, *args):
        """Does nothing."""

    def safe_trigger(self, *args):
        """Does nothing."""

    def __call__(self, *args):
        pass

    def __contains__(self, handler):
        return False

    def __iter__(self):
        return iter(())

    def __str__(self):
        return "SinkingEventHook()"


sinking_event_hook = SinkingEventHook()
