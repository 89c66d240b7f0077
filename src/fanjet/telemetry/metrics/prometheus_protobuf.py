"""Prometheus exposition in Protobuf: a sequence of `MetricFamily` messages."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

from google.protobuf.proto import serialize_length_prefixed
from google.protobuf.text_format import MessageToString

from .proto import metrics_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .registry import Labels, Metric

_KINDS: Final = {"counter": pb.COUNTER, "gauge": pb.GAUGE, "summary": pb.SUMMARY, "histogram": pb.HISTOGRAM}


def delimited_page(metrics: Iterable[Metric]) -> bytes:
    """Length-delimited messages."""
    page = BytesIO()
    for metric in metrics:
        serialize_length_prefixed(_family(metric), page)
    return page.getvalue()


def text_page(metrics: Iterable[Metric]) -> bytes:
    """Protobuf text format, an empty line after each message."""
    return b"".join(MessageToString(_family(metric)).encode() + b"\n" for metric in metrics)


def compact_text_page(metrics: Iterable[Metric]) -> bytes:
    """Protobuf text format, one line for each message."""
    return b"".join(MessageToString(_family(metric), as_one_line=True).encode() + b"\n" for metric in metrics)


def _family(metric: Metric) -> pb.MetricFamily:
    family = pb.MetricFamily(name=metric.name, help=metric.help, type=_KINDS[metric.kind])
    family.metric.extend(_metrics(metric))
    return family


def _metrics(metric: Metric) -> Iterator[pb.Metric]:
    match metric.kind:
        case "counter":
            for _, labels, value in metric.samples:
                yield pb.Metric(label=_labels(labels), counter=pb.Counter(value=value))
        case "gauge":
            for _, labels, value in metric.samples:
                yield pb.Metric(label=_labels(labels), gauge=pb.Gauge(value=value))
        case "summary":
            for labels, parts, total, count in metric.distributions():
                quantiles = [pb.Quantile(quantile=rank, value=value) for rank, value in parts]
                summary = pb.Summary(sample_count=count, sample_sum=total, quantile=quantiles)
                yield pb.Metric(label=_labels(labels), summary=summary)
        case _:
            for labels, parts, total, count in metric.distributions():
                buckets = [pb.Bucket(upper_bound=bound, cumulative_count=int(reached)) for bound, reached in parts]
                histogram = pb.Histogram(sample_count=count, sample_sum=total, bucket=buckets)
                yield pb.Metric(label=_labels(labels), histogram=histogram)


def _labels(labels: Labels) -> list[pb.LabelPair]:
    return [pb.LabelPair(name=name, value=value) for name, value in labels]
