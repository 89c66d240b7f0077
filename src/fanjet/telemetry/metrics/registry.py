"""All metrics of a server by their names, and what they have come to."""

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
    """One number: what its name has behind that of the metric, its labels sorted by name, and its value."""

    suffix: str
    labels: Labels
    value: float


class Distribution(NamedTuple):
    """What a summary or histogram says: for each rank its quantile, or for each upper bound the number of observations
    up to it; the sum of all and their number."""

    labels: Labels
    parts: list[tuple[float, float]]
    total: float
    number: int


class Metric(NamedTuple):
    """One metric as it is read. `kind` as Prometheus calls it."""

    name: str
    help: str
    kind: str
    samples: list[Sample]

    def distributions(self) -> Iterator[Distribution]:
        """The samples of a summary or histogram put together again: they are those of one after the other."""
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
    """The cells of one metric by their label values. A cell that never counted is left out of what is read unless it
    is wanted from the start."""

    def __init__(self, labels: Sequence[str], make: Callable[[], Cell]) -> None:
        self._names = labels
        self._sorted = sorted(range(len(labels)), key=lambda index: labels[index])
        self._make = make
        self._cells: dict[tuple[str, ...], Cell] = {}
        self._shown: set[tuple[str, ...]] = set()

    def cell(self, *values: str, shown: bool = False) -> Cell:
        """The cell for these label values, in the order in which the labels were named. `shown`: even before it has
        counted anything."""
        cell = self._cells.get(values)
        if cell is None:
            if len(values) != len(self._names):
                raise ValueError(f"labels are {self._names}, not {values}")
            cell = self._cells[values] = self._make()
        if shown:
            self._shown.add(values)
        return cell

    def cells(self) -> Iterable[Cell]:
        """All of them."""
        return self._cells.values()

    def read(self, counted: Callable[[Cell], float]) -> Iterator[tuple[Labels, Cell]]:
        """The cells with their labels; `counted` tells whether one has ever counted."""
        names = self._names
        for values, cell in self._cells.items():
            if values in self._shown or counted(cell):
                self._shown.add(values)
                yield tuple((names[index], values[index]) for index in self._sorted), cell


class Registry:
    """Metrics under one prefix. `client_labels`: names of those of a connection that the metrics about clients have as
    dimensions, too (10 B.4)."""

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
        """A metric that grows. Without labels it is read from the start."""
        family = Family(self._labels(labels, about_clients), Counter)
        self._add(name, help_, "counter", partial(_read_numbers, family))
        return family

    def gauge(self, name: str, help_: str, *labels: str, about_clients: bool = False) -> Family[Gauge]:
        """A metric that goes up and down."""
        family = Family(self._labels(labels, about_clients), Gauge)
        self._add(name, help_, "gauge", partial(_read_numbers, family))
        return family

    def flow(self, name: str, help_: str, *labels: str, about_clients: bool = False) -> Family[Flow]:
        """Two metrics that grow: of messages, and under the same name with `_size` of their bytes."""
        family = Family(self._labels(labels, about_clients), Flow)
        self._add(name, help_, "counter", partial(_read_counts, family))
        self._add(f"{name}_size", f"{help_}: bytes, not compressed nor framed", "counter", partial(_read_sizes, family))
        return family

    def histogram(
        self, name: str, help_: str, *labels: str, bounds: Sequence[float], about_clients: bool = False
    ) -> Family[Histogram]:
        """A histogram."""
        family = Family(self._labels(labels, about_clients), partial(Histogram, bounds))
        self._add(name, help_, "histogram", partial(_read_histograms, family, bounds))
        return family

    def own_histogram(self, name: str, help_: str, bounds: Sequence[float]) -> Histogram:
        """One of this program alone, which has its prefix whatever the namespace."""
        family = Family((), partial(Histogram, bounds))
        self.add_reader(f"fanjet_{name}", help_, "histogram", partial(_read_histograms, family, bounds))
        return family.cell(shown=True)

    def timing(
        self, name: str, help_: str, *labels: str, bounds: Sequence[float], about_clients: bool = False
    ) -> Family[Timing]:
        """A summary, and under the same name with `_histogram` the histogram of the same seconds. With native
        histograms there is no summary (10 B.3)."""
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
        """A metric of this whole name that is found out when it is read."""
        if name in self._readers:
            raise ValueError(f"there are two metrics {name}")
        self._readers[name] = lambda: Metric(name, help_, kind, read())

    def before_reading(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` whenever the metrics are about to be read."""
        self._refreshers.append(refresh)

    # ------------------------------------------------------------------------------------------ reading them

    @property
    def names(self) -> list[str]:
        """The names of all metrics, whether there is anything to read of them or not."""
        return sorted(self._readers)

    def read(self) -> Iterator[Metric]:
        """Every metric of which there is something to read, by name."""
        for refresh in self._refreshers:
            refresh()
        for name in self.names:
            metric = self._readers[name]()
            if metric.samples:
                yield metric

    def sketches(self) -> dict[str, list[tuple[Labels, dict[int, int]]]]:
        """By the name of each summary: for its labels how many recent observations are in which bucket."""
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
    """A number as Prometheus writes it: the shortest text that means it."""
    if isinf(value) or isnan(value):
        return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
