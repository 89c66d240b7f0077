"""Prometheus exposition formats (10 B.1)."""

from __future__ import annotations

from io import BytesIO

import pytest
from google.protobuf.proto import parse_length_prefixed
from google.protobuf.text_format import Parse

from fanjet.operations.prometheus import format_for
from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.proto.metrics_pb2 import COUNTER, HISTOGRAM, SUMMARY, MetricFamily

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding="
TEXT = "text/plain; version=0.0.4; charset=utf-8; escaping="
DELIMITED = PROTOBUF.replace(" ", "") + "delimited"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT + "underscores"),
        ("*/*;q=0.1", TEXT + "underscores"),
        ("garbage", TEXT + "underscores"),
        (DELIMITED, PROTOBUF + "delimited; escaping=underscores"),
        (DELIMITED.replace("delimited", "text"), PROTOBUF + "text; escaping=underscores"),
        (DELIMITED.replace("delimited", "compact-text"), PROTOBUF + "compact-text; escaping=underscores"),
        ("application/vnd.google.protobuf", TEXT + "underscores"),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT + "underscores"),
        (f"{DELIMITED};q=0.3,text/plain;version=0.0.4;q=0.5", TEXT + "underscores"),
        (f"{DELIMITED};q=0.5,text/plain;version=0.0.4;q=0.5", PROTOBUF + "delimited; escaping=underscores"),
        (f"text/plain;version=0.0.4,{DELIMITED}", TEXT + "underscores"),
        (
            f"application/openmetrics-text;version=1.0.0,{DELIMITED};q=0.6;escaping=allow-utf-8",
            PROTOBUF + "delimited; escaping=allow-utf-8",
        ),
        ("text/plain;escaping=dots", TEXT + "dots"),
        ("text/plain;version=1.0.0", TEXT + "underscores"),
        (f"{DELIMITED};q=high", PROTOBUF + "delimited; escaping=underscores"),
    ],
)
def test_the_client_chooses_the_format(accept: str, content_type: str) -> None:
    assert format_for(accept.encode()).content_type.decode() == content_type


@pytest.fixture
def registry() -> Registry:
    registry = Registry("app")
    registry.counter("hits", "Hits.", "kind").cell('a"b').value = 3
    timing = registry.timing("seconds", "Time.", bounds=(0.1, 1.0)).cell()
    for seconds in (0.05, 0.5, 2):
        timing.observe(seconds)
    return registry


def check(families: dict[str, MetricFamily]) -> None:
    hits, seconds, buckets = (families[name] for name in ("app_hits", "app_seconds", "app_seconds_histogram"))
    assert (hits.type, seconds.type, buckets.type) == (COUNTER, SUMMARY, HISTOGRAM)
    assert hits.help == "Hits."
    assert [(label.name, label.value) for label in hits.metric[0].label] == [("kind", 'a"b')]
    assert hits.metric[0].counter.value == 3
    summary = seconds.metric[0].summary
    assert (summary.sample_count, summary.sample_sum) == (3, 2.55)
    assert [quantile.quantile for quantile in summary.quantile] == [0.5, 0.99, 0.999]
    reached = [(bucket.upper_bound, bucket.cumulative_count) for bucket in buckets.metric[0].histogram.bucket]
    assert reached == [(0.1, 1), (1.0, 2), (float("inf"), 3)]


def test_length_delimited_messages(registry: Registry) -> None:
    page = BytesIO(format_for(DELIMITED.encode()).page_of(registry.read()))
    families = {}
    while (family := parse_length_prefixed(MetricFamily, page)) is not None:
        families[family.name] = family
    check(families)


def test_compact_text_messages(registry: Registry) -> None:
    page = format_for(DELIMITED.replace("delimited", "compact-text").encode()).page_of(registry.read())
    families = [Parse(line, MetricFamily()) for line in page.decode().splitlines()]
    check({family.name: family for family in families})


def test_text_messages(registry: Registry) -> None:
    page = format_for(DELIMITED.replace("delimited", "text").encode()).page_of(registry.read())
    families = [Parse(text, MetricFamily()) for text in page.decode().split("\n\n") if text]
    check({family.name: family for family in families})
