"""Spans of OpenTelemetry: one for each request to a source, with links to those who waited for it.

>>> from asynq import opentelemetry
>>> opentelemetry.instrument()

A request is sent for many: for all tasks that asked for a key, maybe of several traces. So its span
has no parent among them, but a link to the span of each. It needs the package `opentelemetry-api`.
"""

from ._asynq import ExplainSession, set_flush_observer

__all__ = ["instrument", "uninstrument"]

__traceback_hide__ = True

_session = None


def instrument(tracer_provider=None):
    """Begins to make spans, with the global tracer provider unless one is given.

    Does nothing if that was done already.
    """
    global _session
    from opentelemetry import trace

    if _session is None:
        tracer = trace.get_tracer("asynq", tracer_provider=tracer_provider)
        _session = ExplainSession("", "count", 0, 1.0, all_threads=True, everything=True)
        set_flush_observer(_Observer(trace, tracer))


def uninstrument():
    """Ends what `instrument` began."""
    global _session
    if _session is not None:
        set_flush_observer(None)
        _session.end()
        _session = None


class _Observer:
    """Makes the spans."""

    def __init__(self, trace, tracer):
        self._trace = trace
        self._tracer = tracer
        self._waiting = {}  # The span contexts of those who wait, by batch and span.
        self._spans = {}  # The spans of requests that have no answer yet.

    def asked(self, batch):
        """Notes that the code that runs waits for a batch."""
        context = self._trace.get_current_span().get_span_context()
        if context.is_valid:
            self._waiting.setdefault(batch, {})[context.span_id] = context

    def sent(self, request, source, keys, reason, batches):
        """Begins the span of a request."""
        waiting = {}
        for batch in batches:
            waiting.update(self._waiting.get(batch, {}))
        self._spans[request] = self._tracer.start_span(
            f"asynq {source}",
            kind=self._trace.SpanKind.CLIENT,
            links=[self._trace.Link(context) for context in waiting.values()],
            attributes={"asynq.source": source, "asynq.keys": keys, "asynq.reason": reason},
        )

    def answered(self, request, failed, error):
        """Ends the span of a request."""
        span = self._spans.pop(request, None)
        if span is None:
            return
        if failed:
            span.set_attribute("asynq.failed_keys", failed)
        if error is not None:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, error))
        span.end()

    def resolved(self, batch):
        """Forgets those who have waited for a batch."""
        self._waiting.pop(batch, None)
