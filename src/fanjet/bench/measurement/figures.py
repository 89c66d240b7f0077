"""The figures that a scenario measures."""

from dataclasses import dataclass
from enum import Enum

from .latency import Latencies


class Unit(Enum):
    """The unit of a figure, as printed."""

    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    PER_SECOND = "/s"
    BYTES = "B"
    COUNT = ""
    TIMES = "×"
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: Unit


def cpu_per(unit_name: str, cpu_ns: int, count: int) -> Figure:
    """Return the server's CPU time per `unit_name`."""
    return Figure(f"CPU per {unit_name}", cpu_ns / 1000 / max(1, count), Unit.MICROSECONDS)


def throughput(unit_name: str, count: int, seconds: float) -> Figure:
    """Return a rate per second."""
    return Figure(unit_name, count / seconds, Unit.PER_SECOND)


def latency_figures(name: str, latencies: Latencies) -> list[Figure]:
    """Return p50, p99 and maximum."""
    quantiles = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    return [Figure(f"{name} {label}", latencies.quantile(share), Unit.MILLISECONDS) for label, share in quantiles]
