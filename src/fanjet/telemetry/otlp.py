"""Set-up of OTLP exports of traces and metrics (10 F).

The library is an extra: `fanjet[otel]`.

Endpoint and protocol come from the standard `OTEL_*` environment variables only.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from .logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource, ResourceDetector
    from opentelemetry.sdk.trace.export import SpanExporter

log = get_logger(__name__)

PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
DEFAULT_NAME: Final = "centrifugo"
GOOGLE_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
DETECTION_SECONDS: Final = 5


class ExportError(Exception):
    """The environment configures an export that is not possible.

    The text gives the reason.
    """


class Exporters(Struct, frozen=True):
    """Creates exporters.

    `resource` describes this server; `google`: authenticate with Google's application default credentials.
    """

    resource: Resource
    google: bool = False

    def spans(self) -> SpanExporter:
        """Create an exporter for traces. Raises `ExportError`."""
        exporter: SpanExporter = self._make(_http_spans, _grpc_spans)
        return exporter

    def metrics(self) -> MetricExporter:
        """Create an exporter for metrics. Raises `ExportError`."""
        exporter: MetricExporter = self._make(_http_metrics, _grpc_metrics)
        return exporter

    def _make(self, http: Callable[..., Any], grpc: Callable[..., Any]) -> Any:
        protocol = os.environ.get(PROTOCOL) or "http/protobuf"
        try:
            if protocol == "http/protobuf":
                return http(**{"session": _google_session()} if self.google else {})
            if protocol == "grpc":
                return grpc(**{"credentials": _google_channel_credentials()} if self.google else {})
        except ImportError as error:
            raise ExportError(f"{PROTOCOL} {protocol!r} needs {error.name}: install fanjet[otel,otel-google]") from None
        raise ExportError(f"{PROTOCOL} {protocol!r} is none of http/protobuf, grpc")


def open_exporters(instance: str, version: str, *, google: bool = False, detectors: tuple[str, ...] = ()) -> Exporters:
    """Set up exports from the environment.

    `instance`: the node's ID; `detectors`: the platforms to detect (`gcp`, `aws`). Raises `ExportError`.
    """
    _check_attributes()
    try:
        from opentelemetry.sdk.resources import Resource, get_aggregated_resources  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ExportError("needs OpenTelemetry: install fanjet[otel]") from None
    own = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or DEFAULT_NAME,
        "service.instance.id": instance,
        "version": version,
    }
    _log_failures()
    resource_detectors = [detector for name in detectors for detector in _detectors(name)]
    try:
        detected = get_aggregated_resources(resource_detectors, Resource({}), DETECTION_SECONDS)
    except Exception as error:
        raise ExportError(f"opentelemetry.resource_detectors: {error}") from error
    return Exporters(detected.merge(Resource(own)).merge(Resource(_attributes())), google)


def _http_spans(**options: Any) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (an extra)

    return OTLPSpanExporter(**options)


def _grpc_spans(**options: Any) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(**options)


def _http_metrics(**options: Any) -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    return OTLPMetricExporter(**options)


def _grpc_metrics(**options: Any) -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    return OTLPMetricExporter(**options)


def _google_credentials() -> Any:
    import google.auth  # noqa: PLC0415 (an extra)
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415

    try:
        credentials, _ = google.auth.default(scopes=[GOOGLE_SCOPE])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except (GoogleAuthError, OSError, ValueError) as error:
        raise ExportError(f"opentelemetry.google_cloud_adc_auth: {error}") from error
    return credentials


def _google_session() -> Any:
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415 (an extra)

    return AuthorizedSession(_google_credentials())  # type: ignore[no-untyped-call]


def _google_channel_credentials() -> Any:
    import grpc  # noqa: PLC0415 (an extra)
    from google.auth.transport.grpc import AuthMetadataPlugin  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415

    plugin = AuthMetadataPlugin(_google_credentials(), Request())  # type: ignore[no-untyped-call]
    call_credentials = grpc.metadata_call_credentials(plugin)
    return grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), call_credentials)


def _detectors(platform: str) -> list[ResourceDetector]:
    try:
        if platform == "gcp":
            from opentelemetry.resourcedetector.gcp_resource_detector import (  # noqa: PLC0415 (an extra)
                GoogleCloudResourceDetector,
            )

            return [GoogleCloudResourceDetector(raise_on_error=True)]
        from opentelemetry.sdk.extension.aws.resource import (  # noqa: PLC0415 (an extra)
            AwsEc2ResourceDetector,
            AwsEcsResourceDetector,
            AwsEksResourceDetector,
        )
    except ImportError as error:
        raise ExportError(f"opentelemetry.resource_detectors: {platform} needs {error.name}") from None
    # Outside AWS these raise instead of finding nothing.
    return [AwsEc2ResourceDetector(), AwsEcsResourceDetector(), AwsEksResourceDetector()]


class _Failures(logging.Handler):
    """Forwards the library's errors to this program's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.error("opentelemetry error", error=record.getMessage())


def _log_failures() -> None:
    library = logging.getLogger("opentelemetry")
    if not any(isinstance(handler, _Failures) for handler in library.handlers):
        library.addHandler(_Failures(logging.ERROR))
        library.propagate = False


def _check_attributes() -> None:
    for item in _items():
        if not item.partition("=")[1]:
            raise ExportError(f"{ATTRIBUTES}: {item!r} has no value")


def _attributes() -> dict[str, str]:
    pairs = (item.partition("=") for item in _items())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _items() -> list[str]:
    return [item for item in os.environ.get(ATTRIBUTES, "").split(",") if item.strip()]
