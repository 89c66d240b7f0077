"""Traces by OpenTelemetry (10 F)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from .otlp import Exporters


class Traces:
    """Makes spans and sends them in batches."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415 (an extra)
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("fanjet")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Span:
        """Begin the span of a request. `carrier`: its headers, of which those of the W3C trace context count."""
        context = self._propagator.extract(carrier)
        return self._tracer.start_span(
            name, context=context, kind=self._trace.SpanKind.SERVER, attributes=dict(attributes)
        )

    @contextmanager
    def span(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[None]:
        """The time inside is a span."""
        with self._trace.use_span(self.begin(name, carrier, attributes), end_on_exit=True):
            yield

    @contextmanager
    def current(self, span: Span) -> Iterator[None]:
        """What begins inside, tasks too, belongs to this span, which does not end here."""
        with self._trace.use_span(span, end_on_exit=False):
            yield

    @contextmanager
    def call(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """The time inside is the span of a call, which is to carry the headers that this yields. It belongs to the
        request with the headers in `carrier`. What is raised inside is how it has failed."""
        span = self._tracer.start_span(
            name,
            context=self._propagator.extract(carrier),
            kind=self._trace.SpanKind.CLIENT,
            attributes=dict(attributes),
        )
        headers: dict[str, str] = {}
        self._propagator.inject(headers, self._trace.set_span_in_context(span))
        try:
            yield headers
        except BaseException as error:
            span.set_status(self._trace.StatusCode.ERROR, str(error) or type(error).__name__)
            raise
        finally:
            span.end()

    def describe(self, name: str, value: str | int) -> None:
        """Say more about the current span."""
        self._trace.get_current_span().set_attribute(name, value)

    def fail(self, text: str) -> None:
        """The current span's work has failed."""
        self._trace.get_current_span().set_status(self._trace.StatusCode.ERROR, text)

    def close(self) -> None:
        """Send what is left. Blocks for as long as that takes."""
        self._provider.shutdown()


def open_traces(exporters: Exporters) -> Traces:
    """Set up. Raises `ExportError`."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (an extra)
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=exporters.resource)
    provider.add_span_processor(BatchSpanProcessor(exporters.spans()))
    return Traces(provider)
