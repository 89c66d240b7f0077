"""Traces by OpenTelemetry (10 F), whose library is an extra: `fanjet[otel]`.

Where to and how they are exported is told by the standard `OTEL_*` environment variables alone.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from .logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

log = get_logger(__name__)

PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
DEFAULT_NAME: Final = "centrifugo"


class TracesError(Exception):
    """Traces cannot be exported as the environment says; the text says why."""


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

    def describe(self, name: str, value: str | int) -> None:
        """Say more about the current span."""
        self._trace.get_current_span().set_attribute(name, value)

    def fail(self, text: str) -> None:
        """The current span's work has failed."""
        self._trace.get_current_span().set_status(self._trace.StatusCode.ERROR, text)

    def close(self) -> None:
        """Send what is left. Blocks for as long as that takes."""
        self._provider.shutdown()


def open_traces(instance: str, version: str) -> Traces:
    """Set up. `instance`: the node's id. Raises `TracesError`."""
    _check_attributes()
    try:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 (an extra)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise TracesError("needs OpenTelemetry: install fanjet[otel]") from None
    exporter = _exporter()
    own = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or DEFAULT_NAME,
        "service.instance.id": instance,
        "version": version,
    }
    resource = Resource(own).merge(Resource(_attributes()))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider)


def _exporter() -> SpanExporter:
    protocol = os.environ.get(PROTOCOL) or "http/protobuf"
    try:
        if protocol == "http/protobuf":
            from opentelemetry.exporter.otlp.proto.http import trace_exporter as http  # noqa: PLC0415 (an extra)

            return http.OTLPSpanExporter()
        if protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc  # noqa: PLC0415

            return cast("SpanExporter", grpc.OTLPSpanExporter())
    except ImportError:
        raise TracesError(f"{PROTOCOL} {protocol!r} needs an exporter: install fanjet[otel]") from None
    raise TracesError(f"{PROTOCOL} {protocol!r} is none of http/protobuf, grpc")


def _check_attributes() -> None:
    for item in _items():
        if not item.partition("=")[1]:
            raise TracesError(f"{ATTRIBUTES}: {item!r} has no value")


def _attributes() -> dict[str, str]:
    pairs = (item.partition("=") for item in _items())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _items() -> list[str]:
    return [item for item in os.environ.get(ATTRIBUTES, "").split(",") if item.strip()]
