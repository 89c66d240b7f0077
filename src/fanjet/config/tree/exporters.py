"""Traces and metrics sent elsewhere (04 §5.20)."""

from fanjet.config.tree.base import Duration, Section, option


class Opentelemetry(Section):
    """Tracing export over OTLP."""

    enabled: bool = option(False, "set up OTLP tracing export")
    api: bool = option(False, "trace server API calls")
    consuming: bool = option(False, "trace consumers")
    google_cloud_adc_auth: bool = option(False, "authenticate the exporter with Google ADC")
    metrics: bool = option(False, "push all metrics over OTLP")
    resource_detectors: tuple[str, ...] = option((), "platforms to look for what to say of this server: gcp, aws")


class Graphite(Section):
    """Metrics export to Graphite."""

    enabled: bool = option(False, "push metrics to Graphite")
    host: str = option("localhost", "Graphite host")
    port: int = option(2003, "Graphite port")
    prefix: str = option("centrifugo", "metric prefix; one trailing dot is dropped, node name is appended")
    interval: Duration = option(10.0, "push period")
    tags: bool = option(False, "tagged metric format")
