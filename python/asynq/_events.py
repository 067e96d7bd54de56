"""Events: what `on_computed`, `on_before_batch_flush` and `on_after_batch_flush` are."""

__traceback_hide__ = True


class EventHook:
    """An event that functions can subscribe to.

    >>> hook = EventHook()
    >>> hook.subscribe(print)
    >>> hook.trigger("it happened")
    it happened
    >>> hook.unsubscribe(print)

    Handlers are called in the order in which they subscribed. One that subscribes or unsubscribes
    while the event is being triggered counts from the next time on.
    """

    __slots__ = ("__weakref__", "handlers")

    def __init__(self, handlers=None):
        self.handlers = [] if handlers is None else handlers

    def subscribe(self, handler):
        """Has `handler` called, with the arguments of `trigger`, each time the event happens."""
        assert callable(handler), f"Invalid handler {handler}: it has to be callable"
        self.handlers.append(handler)

    def unsubscribe(self, handler):
        """Removes a handler; raises `ValueError` if it is not subscribed."""
        self.handlers.remove(handler)

    def trigger(self, *args):
        """Calls every handler. If one raises, those after it are not called."""
        for handler in tuple(self.handlers):
            handler(*args)

    def safe_trigger(self, *args):
        """Calls every handler, also if some raise; then raises the first error, if any."""
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
                first = None  # The error's traceback holds this frame.

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
    """An event that never happens: `on_computed` of a future that was computed from the start."""

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
