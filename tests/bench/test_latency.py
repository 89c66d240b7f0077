"""Quantiles of latencies."""

import math

import pytest

from fanjet.bench.measurement.latency import Latencies


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.5, 51.0, id="median"),
        pytest.param(0.99, 100.0, id="p99"),
        pytest.param(1.0, 100.0, id="maximum"),
        pytest.param(0.0, 1.0, id="minimum"),
    ],
)
def test_quantiles_are_milliseconds_of_the_ordered_sample(share: float, expected: float) -> None:
    assert Latencies([1000 * value for value in range(100, 0, -1)]).quantile(share) == expected


def test_an_empty_sample_has_no_quantile() -> None:
    assert math.isnan(Latencies().quantile(0.99))


def test_latencies_of_the_warm_up_are_dropped() -> None:
    latencies = Latencies()
    latencies.add(9_000_000)
    latencies.clear()
    latencies.add_all([1000])
    assert latencies.quantile(1.0) == 1.0
