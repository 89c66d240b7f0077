"""The interface that exporters read metrics from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .registry import Metric


class Source(Protocol):
    """The registry of a process, or the merged registries of several."""

    @property
    def namespace(self) -> str:
        """The prefix of most metric names."""

    @property
    def native_histograms(self) -> bool:
        """Whether histograms replace summaries."""

    def read(self) -> Iterable[Metric]:
        """Every metric with samples, sorted by name."""
