"""OpenTelemetry traces (10 F)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from .otlp import Exporters


class Traces:
    """Creates spans and exports them in batches."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415 (an extra)
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("fanjet")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Span:
        """Start the server span of a request.

        `carrier`: its headers, with the W3C trace context.
        """
        context = self._propagator.extract(carrier)
        return self._tracer.start_span(
            name, context=context, kind=self._trace.SpanKind.SERVER, attributes=dict(attributes)
        )

    @contextmanager
    def span(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[None]:
        """Run the block in a span."""
        with self._trace.use_span(self.begin(name, carrier, attributes), end_on_exit=True):
            yield

    @contextmanager
    def current(self, span: Span) -> Iterator[None]:
        """Make this span the parent of spans and tasks started in the block.

        It does not end with the block.
        """
        with self._trace.use_span(span, end_on_exit=False):
            yield

    @contextmanager
    def call(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Run the block in the client span of an outgoing call.

        The span is a child of the request whose headers are in `carrier`. Yields the headers that the call must carry.
        An exception sets the span's status to error.
        """
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
        """Set an attribute of the current span."""
        self._trace.get_current_span().set_attribute(name, value)

    def fail(self, text: str) -> None:
        """Set the current span's status to error."""
        self._trace.get_current_span().set_status(self._trace.StatusCode.ERROR, text)

    def close(self) -> None:
        """Export the remaining spans. Blocks until they are sent."""
        self._provider.shutdown()


def open_traces(exporters: Exporters) -> Traces:
    """Set up the tracer. Raises `ExportError`."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (an extra)
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=exporters.resource)
    provider.add_span_processor(BatchSpanProcessor(exporters.spans()))
    return Traces(provider)
