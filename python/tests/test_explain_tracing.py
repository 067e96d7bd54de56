"""Spans of OpenTelemetry: one for each request, with links to those who waited for it."""

import pytest

pytest.importorskip("opentelemetry.sdk", reason="spans are tested where the SDK is installed")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import asynq
from asynq import opentelemetry


@pytest.fixture
def traced():
    """A tracer, and the spans that have ended, while requests make spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    opentelemetry.instrument(provider)
    yield provider.get_tracer("test"), exporter
    opentelemetry.uninstrument()


def of_requests(exporter):
    return [span for span in exporter.get_finished_spans() if span.name.startswith("asynq ")]


@asynq.loader(name="user")
def user(ids):
    if 0 in ids:
        raise ValueError("no such user")
    return ids


def test_a_request_is_a_span(traced):
    _, exporter = traced
    user(1)
    (span,) = of_requests(exporter)
    assert span.name == "asynq user"
    assert dict(span.attributes) == {
        "asynq.source": "user",
        "asynq.keys": 1,
        "asynq.reason": "idle",
    }


def test_the_span_has_links_to_the_spans_of_those_who_wait(traced):
    tracer, exporter = traced

    @asynq.asynq()
    def page(id):
        with tracer.start_as_current_span(f"page {id}"):
            return (yield user.asynq(id))

    @asynq.asynq()
    def pages(ids):
        return (yield [page.asynq(id) for id in ids])

    pages([1, 2, 1])
    (span,) = of_requests(exporter)
    waiting = [one for one in exporter.get_finished_spans() if one.name.startswith("page ")]
    assert {link.context.span_id for link in span.links} == {one.context.span_id for one in waiting}
    assert len(span.links) == 3


def test_batches_of_the_user_have_spans(traced, source):
    tracer, exporter = traced

    @asynq.asynq()
    def page(key):
        with tracer.start_as_current_span("page"):
            return (yield source.item(key))

    page(1)
    (span,) = of_requests(exporter)
    assert (span.name, len(span.links)) == ("asynq Batch", 1)


def test_a_request_that_fails_has_the_status_of_an_error(traced):
    _, exporter = traced
    with pytest.raises(asynq.LoadError):
        user(0)
    (span,) = of_requests(exporter)
    assert span.status.status_code.name == "ERROR"
    assert "no such user" in span.status.description


def test_without_instrumentation_there_are_no_spans(traced):
    _, exporter = traced
    opentelemetry.uninstrument()
    user(1)
    assert of_requests(exporter) == []


def test_explanations_are_made_beside_spans(traced):
    _, exporter = traced
    with asynq.explain() as why:
        user(1)
    assert (why.rounds, len(of_requests(exporter))) == (1, 1)
