"""The registry of all metrics of a server."""

from __future__ import annotations

from functools import partial
from math import isinf, isnan
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from .cells import Counter, Flow, Gauge, Histogram, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

DEFAULT_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Set D of 10 B.2."""
COMMAND_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, *DEFAULT_BOUNDS)
"""Set C."""
QUANTILES: Final = (0.5, 0.99, 0.999)

Cell = TypeVar("Cell")
Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One sample of a metric.

    It has the suffix after the metric's name, the labels sorted by name, and the value.
    """

    suffix: str
    labels: Labels
    value: float


class Distribution(NamedTuple):
    """One summary or histogram.

    It has (rank, quantile) or (upper bound, cumulative count) pairs, the sum and the number of observations.
    """

    labels: Labels
    parts: list[tuple[float, float]]
    total: float
    number: int


class Metric(NamedTuple):
    """One metric with its samples. `kind` is the Prometheus type."""

    name: str
    help: str
    kind: str
    samples: list[Sample]

    def distributions(self) -> Iterator[Distribution]:
        """Group the samples of a summary or histogram by label values.

        Each group ends with its count.
        """
        parts: list[tuple[float, float]] = []
        total = 0.0
        for suffix, labels, value in self.samples:
            if suffix == "_sum":
                total = value
            elif suffix == "_count":
                yield Distribution(labels, parts, total, int(value))
                parts = []
            else:
                parts.append((float(labels[-1][1]), value))


class Family(Generic[Cell]):
    """The cells of one metric by label values.

    A cell that never counted is not read unless it is `shown`.
    """

    def __init__(self, labels: Sequence[str], make: Callable[[], Cell]) -> None:
        self._names = labels
        self._sorted = sorted(range(len(labels)), key=lambda index: labels[index])
        self._make = make
        self._cells: dict[tuple[str, ...], Cell] = {}
        self._shown: set[tuple[str, ...]] = set()

    def cell(self, *values: str, shown: bool = False) -> Cell:
        """Return the cell for these label values, in the order of the label names.

        `shown`: read it even before it has counted anything.
        """
        cell = self._cells.get(values)
        if cell is None:
            if len(values) != len(self._names):
                raise ValueError(f"labels are {self._names}, not {values}")
            cell = self._cells[values] = self._make()
        if shown:
            self._shown.add(values)
        return cell

    def cells(self) -> Iterable[Cell]:
        """All cells."""
        return self._cells.values()

    def read(self, has_counted: Callable[[Cell], float]) -> Iterator[tuple[Labels, Cell]]:
        """Yield cells with their labels.

        `has_counted` returns whether a cell has ever counted.
        """
        names = self._names
        for values, cell in self._cells.items():
            if values in self._shown or has_counted(cell):
                self._shown.add(values)
                yield tuple((names[index], values[index]) for index in self._sorted), cell


class Registry:
    """Metrics with a common prefix.

    `client_labels`: connection labels that metrics about clients have as labels, too (10 B.4).
    """

    def __init__(
        self, namespace: str = "centrifugo", *, native_histograms: bool = False, client_labels: Sequence[str] = ()
    ) -> None:
        self.namespace = namespace
        self.native_histograms = native_histograms
        self.client_labels = tuple(client_labels)
        self._readers: dict[str, Callable[[], Metric]] = {}
        self._refreshers: list[Callable[[], None]] = []
        self._summaries: dict[str, Family[Timing]] = {}

    # ------------------------------------------------------------------------------------------ making metrics

    def counter(self, name: str, help_: str, *labels: str, about_clients: bool = False) -> Family[Counter]:
        """Register a counter. Without labels it is read from the start."""
        family = Family(self._labels(labels, about_clients), Counter)
        self._add(name, help_, "counter", partial(_read_numbers, family))
        return family

    def gauge(self, name: str, help_: str, *labels: str, about_clients: bool = False) -> Family[Gauge]:
        """Register a gauge."""
        family = Family(self._labels(labels, about_clients), Gauge)
        self._add(name, help_, "gauge", partial(_read_numbers, family))
        return family

    def flow(self, name: str, help_: str, *labels: str, about_clients: bool = False) -> Family[Flow]:
        """Register two counters: of messages, and with the suffix `_size` of their bytes."""
        family = Family(self._labels(labels, about_clients), Flow)
        self._add(name, help_, "counter", partial(_read_counts, family))
        self._add(f"{name}_size", f"{help_}: bytes, not compressed nor framed", "counter", partial(_read_sizes, family))
        return family

    def histogram(
        self, name: str, help_: str, *labels: str, bounds: Sequence[float], about_clients: bool = False
    ) -> Family[Histogram]:
        """Register a histogram."""
        family = Family(self._labels(labels, about_clients), partial(Histogram, bounds))
        self._add(name, help_, "histogram", partial(_read_histograms, family, bounds))
        return family

    def own_histogram(self, name: str, help_: str, bounds: Sequence[float]) -> Histogram:
        """Register a histogram beyond the contract.

        It has the prefix `fanjet_` in every namespace.
        """
        family = Family((), partial(Histogram, bounds))
        self.add_reader(f"fanjet_{name}", help_, "histogram", partial(_read_histograms, family, bounds))
        return family.cell(shown=True)

    def timing(
        self, name: str, help_: str, *labels: str, bounds: Sequence[float], about_clients: bool = False
    ) -> Family[Timing]:
        """Register a summary and a histogram of the same durations.

        The histogram has the suffix `_histogram`. With native histograms there is no summary (10 B.3).
        """
        family = Family(self._labels(labels, about_clients), partial(Timing, bounds))
        if not self.native_histograms:
            self._add(name, help_, "summary", partial(_read_summaries, family))
            self._summaries[f"{self.namespace}_{name}"] = family
        self._add(f"{name}_histogram", help_, "histogram", partial(_read_histograms, family, bounds))
        return family

    def _labels(self, labels: Sequence[str], about_clients: bool) -> tuple[str, ...]:
        more = [f"app_{name}" for name in self.client_labels] if about_clients else ()
        return (*labels, *more)

    def _add(self, name: str, help_: str, kind: str, read: Callable[[], list[Sample]]) -> None:
        self.add_reader(f"{self.namespace}_{name}", help_, kind, read)

    def add_reader(self, name: str, help_: str, kind: str, read: Callable[[], list[Sample]]) -> None:
        """Register a metric with this full name that is computed when read."""
        if name in self._readers:
            raise ValueError(f"there are two metrics {name}")
        self._readers[name] = lambda: Metric(name, help_, kind, read())

    def before_reading(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` before each read of the metrics."""
        self._refreshers.append(refresh)

    # ------------------------------------------------------------------------------------------ reading them

    @property
    def names(self) -> list[str]:
        """The names of all metrics, also of those without samples."""
        return sorted(self._readers)

    def read(self) -> Iterator[Metric]:
        """Yield every metric with samples, sorted by name."""
        for refresh in self._refreshers:
            refresh()
        for name in self.names:
            metric = self._readers[name]()
            if metric.samples:
                yield metric

    def sketches(self) -> dict[str, list[tuple[Labels, dict[int, int]]]]:
        """For each summary: labels and the number of recent observations in each bucket."""
        return {
            name: [(labels, cell.recent()) for labels, cell in family.read(lambda cell: cell.read()[2])]
            for name, family in self._summaries.items()
        }


def _read_numbers(family: Family[Counter] | Family[Gauge]) -> list[Sample]:
    return [Sample("", labels, cell.value) for labels, cell in family.read(lambda cell: cell.value)]


def _read_counts(family: Family[Flow]) -> list[Sample]:
    return [Sample("", labels, cell.count) for labels, cell in family.read(lambda cell: cell.count)]


def _read_sizes(family: Family[Flow]) -> list[Sample]:
    return [Sample("", labels, cell.size) for labels, cell in family.read(lambda cell: cell.count)]


def _read_histograms(family: Family[Histogram] | Family[Timing], bounds: Sequence[float]) -> list[Sample]:
    samples = []
    for labels, cell in family.read(lambda cell: cell.read()[2]):
        up_to, total, count = cell.read()
        samples += [
            Sample("_bucket", (*labels, ("le", number(bound))), reached)
            for bound, reached in zip(bounds, up_to, strict=True)
        ]
        samples += [
            Sample("_bucket", (*labels, ("le", "+Inf")), count),
            Sample("_sum", labels, total),
            Sample("_count", labels, count),
        ]
    return samples


def _read_summaries(family: Family[Timing]) -> list[Sample]:
    samples = []
    for labels, cell in family.read(lambda cell: cell.read()[2]):
        _, total, count = cell.read()
        samples += [
            Sample("", (*labels, ("quantile", str(rank))), value)
            for rank, value in zip(QUANTILES, cell.quantiles(QUANTILES), strict=True)
        ]
        samples += [Sample("_sum", labels, total), Sample("_count", labels, count)]
    return samples


def number(value: float) -> str:
    """Format a number as Prometheus does: the shortest exact text."""
    if isinf(value) or isnan(value):
        return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
