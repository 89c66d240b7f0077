"""Metric cells and the registry."""

from math import isnan, nan

import pytest

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.cells import BATCH, Histogram, Timing
from fanjet.telemetry.metrics.quantiles import SLICES, WINDOW_SECONDS, RecentQuantiles
from fanjet.telemetry.metrics.registry import number


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("times", [1, BATCH - 1, BATCH, 3 * BATCH + 5])
def test_histogram_bounds_are_inclusive(times):
    histogram = Histogram((1.0, 2.0))
    for _ in range(times):
        for value in (0.5, 1.0, 1.5, 3.0):
            histogram.observe(value)
    up_to, total, count = histogram.read()
    assert (up_to, total, count) == ([2 * times, 3 * times], pytest.approx(6.0 * times), 4 * times)


def test_quantiles_are_accurate_to_one_percent():
    timing = Timing((1.0,))
    for value in range(1, 1001):
        timing.observe(value / 1000)
    assert timing.quantiles((0.5, 0.99, 0.999)) == pytest.approx([0.5, 0.99, 0.999], rel=0.011)


def test_quantiles_without_observations_are_nan():
    assert all(map(isnan, Timing((1.0,)).quantiles((0.5, 0.99))))


def test_quantiles_drop_observations_after_ten_minutes():
    clock = Clock()
    recent = RecentQuantiles(clock)
    recent.add([1.0])
    clock.now = WINDOW_SECONDS * (SLICES - 1) / SLICES - 1
    assert recent.read((0.5,)) == pytest.approx([1.0], rel=0.011)
    recent.add([5.0])
    clock.now = WINDOW_SECONDS + 1
    assert recent.read((0.5,)) == pytest.approx([5.0], rel=0.011)
    clock.now = 10 * WINDOW_SECONDS
    assert isnan(recent.read((0.5,))[0])


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_zero_and_negative_durations_count_as_the_minimum(value):
    timing = Timing((1.0,))
    timing.observe(value)
    assert timing.quantiles((0.5,))[0] < 1e-8


def test_a_cell_that_never_counted_is_not_read_unless_shown():
    registry = Registry("ns")
    family = registry.counter("things", "Things", "kind")
    family.cell("a")
    family.cell("b", shown=True)
    assert [(sample.labels, sample.value) for metric in registry.read() for sample in metric.samples] == [
        ((("kind", "b"),), 0)
    ]


def test_a_gauge_that_returns_to_zero_is_still_read():
    registry = Registry()
    cell = registry.gauge("things", "Things", "kind").cell("a")
    cell.value = 1
    list(registry.read())
    cell.value = 0
    assert [sample.value for metric in registry.read() for sample in metric.samples] == [0]


def test_two_metrics_cannot_have_one_name():
    registry = Registry()
    registry.counter("things", "Things")
    with pytest.raises(ValueError, match="centrifugo_things"):
        registry.gauge("things", "Things")


def test_missing_labels_are_refused():
    with pytest.raises(ValueError, match="kind"):
        Registry().counter("things", "Things", "kind").cell()


def test_native_histograms_leave_summaries_out():
    registry = Registry(native_histograms=True)
    registry.timing("seconds", "Time", bounds=(1.0,))
    assert registry.names == ["centrifugo_seconds_histogram"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.0, "1"), (0.0001, "0.0001"), (1e-06, "1e-06"), (2.5, "2.5"), (nan, "NaN"), (float("inf"), "+Inf")],
)
def test_numbers_are_formatted_as_short_as_possible(value, text):
    assert number(value) == text
